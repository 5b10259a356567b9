#pragma once

#include "core/pending_revenue.hpp"
#include "pg/store.hpp"

namespace brainsait {

struct FoldedSlice {
  int64 folded; ///< how many deltas went
  bool more;    ///< the slice was full: there are younger deltas
};

/// Folds a part of what is pending in revenue_deltas into revenue_customers and revenue_metrics:
/// the oldest deltas, of at most 64 buckets. Called inside a transaction, opens an owner session of
/// its own. Waits for the buckets' other writers a little, and leaves out those buckets that it
/// does not get, as where a prepared transaction holds them. Where no delta went, nothing is
/// pending but such buckets and what belongs to tenants that are being deleted right now.
FoldedSlice fold_revenue_deltas(const pg::Store &store);

/// Raises 25006 in a read-only transaction and on a standby, and 55000 where a subscription brings
/// revenue_deltas: its publisher folds them, and a row that is written here would bar the
/// publisher's. `function` is the caller's name for messages.
void require_own_rollup(const pg::Store &store, const char *function);

/// New changes in the current memory context, which forgets them.
core::RevenueChanges &new_revenue_changes();

/// Adds the pending deltas of the buckets of `sums` to it, and writes it to revenue_customers and
/// revenue_metrics; in an owner session. With `own`, also those of every other bucket that this
/// transaction appended to. The caller has locked the buckets, or all of revenue_metrics.
void fold_into(const pg::Store &store, core::RevenueChanges &sums, bool own);

} // namespace brainsait
