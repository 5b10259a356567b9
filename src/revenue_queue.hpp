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

// The bound in `p`, a row of revenue_fold_progress, speaks of the transactions of the cluster that
// wrote it. A dump may bring it to a cluster of the same name that has others: a copy of the files
// that went its own way. So it holds only if the transaction that put it here came after it. $2 is
// the next transaction's id, from which the row's is counted back.
#define BRAINSAIT_BOUND_HOLDS                                                                      \
  "p.folded_before OPERATOR(pg_catalog.<=) ($2 OPERATOR(pg_catalog.-) (($2 OPERATOR(pg_catalog.-)" \
  " p.xmin::pg_catalog.text::pg_catalog.int8) OPERATOR(pg_catalog.&) 4294967295))"

/// The text of a query's part: up to where revenue_deltas has been folded, 0 where that is not
/// known. Its first two arguments are those of bound_arguments().
#define BRAINSAIT_FOLDED_BEFORE                                                                    \
  "COALESCE((SELECT p.folded_before FROM @store@.revenue_fold_progress p"                          \
  "          WHERE p.system_identifier OPERATOR(pg_catalog.=) $1"                                  \
  "            AND " BRAINSAIT_BOUND_HOLDS "), 0)"

/// This cluster's name in revenue_fold_progress, and the id of the transaction to come.
std::array<Datum, 2> bound_arguments();

/// This transaction's revenue_deltas.written_by: its full id, assigned now where it had none.
int64 own_transaction();

/// The 64-bit id of a transaction that a snapshot taken now names.
int64 widen_transaction_id(TransactionId id);

} // namespace brainsait
