#pragma once

#include "core/pending_revenue.hpp"
#include "revenue_write.hpp"

namespace brainsait {

/// Appends the buckets [first, last) of `list`, which was made of `changes`, to revenue_deltas: in
/// an owner session. Waits for nobody.
void append_revenue(const pg::Store &store, const core::RevenueChanges &changes,
                    const BucketList &list, const KeyedIndex *first, const KeyedIndex *last);

/// A place in revenue_deltas, whose rows are ordered by the transaction that wrote them.
struct DeltaPlace {
  int64 written_by;
  int64 id;
};
constexpr DeltaPlace before_every_delta = {-1, 0};
constexpr DeltaPlace after_every_delta = {PG_INT64_MAX, PG_INT64_MAX};

/// Deletes the pending deltas of `buckets` up to and including `last`, and adds them to `changes`;
/// in an owner session. The caller has locked the buckets, or all of revenue_metrics. Returns the
/// number of deltas. Sums beyond 64 bits raise 22003.
int64 take_revenue_deltas(const pg::Store &store, std::span<const core::RevenueBucket> buckets,
                          const DeltaPlace &last, core::RevenueChanges &changes);

/// This cluster's name in revenue_fold_progress.
int64 cluster_identifier();

/// This transaction's revenue_deltas.written_by: its full id, assigned now where it had none.
int64 own_transaction();

/// The 64-bit id of a transaction that a snapshot taken now names.
int64 widen_transaction_id(TransactionId id);

} // namespace brainsait
