#pragma once

#include "core/pending_revenue.hpp"
#include "pg/guard.hpp"
#include "pg/store.hpp"

namespace brainsait {

/// What the running transaction is going to change in the revenue rollup. Lives in memory of its
/// own under the transaction's, and is forgotten with it.
struct RevenueTransaction {
  MemoryContext context;
  std::pmr::memory_resource *memory;
  core::PendingRevenue *pending;
  Oid schema;        ///< of the store whose triggers reported
  bool rows_changed; ///< something was reported other than rebuilds done, even if undone since
};

/// The running transaction's, made on first use.
RevenueTransaction &revenue_transaction(const pg::Store &store);

/// Appends a (sub)transaction's changes of buckets to revenue_deltas before the end of the
/// transaction, and forgets them. They are rolled back with it.
void append_early(const pg::Store &store, core::RevenueChanges &changes);

/// Deletes what this transaction appended early: every order is gone (TRUNCATE), and what is
/// appended from now on counts.
void forget_appended(const pg::Store &store);

/// Reaching this many, the customers of a (sub)transaction's changes are appended to
/// revenue_deltas at once, so that no statement needs memory for each of its rows.
constexpr std::size_t most_pending_customers = 131'072;

/// Runs `body(core::RevenueChanges &)` on the changes of the innermost open subtransaction,
/// guarded.
template <typename Body> void change_revenue(const pg::Store &store, Body &&body) {
  RevenueTransaction &transaction = revenue_transaction(store);
  transaction.rows_changed = true;
  int level = GetCurrentTransactionNestLevel();
  core::RevenueChanges *changes = nullptr;
  pg::run_guarded([&] {
    changes = &transaction.pending->at_level(level);
    body(*changes);
  });
  if (changes->customers.size() >= most_pending_customers)
    append_early(store, *changes);
}

/// Whether this transaction reported something about the order before (savepoints rolled back
/// aside).
bool revenue_knows_order(const core::Uuid &order);

/// Remembers that these days of a tenant were computed anew in this transaction: changes that it
/// makes around that must not be added to them.
void note_revenue_rebuilt(const pg::Store &store, const core::RebuildRange &range);

/// Writes everything reported to the rollup's tables. Called before commit and before PREPARE.
void flush_revenue(RevenueTransaction &transaction);

/// Computes a tenant's rows for the days from_day to to_day (inclusive) anew from orders and
/// payments, in an owner session, under a lock on revenue_metrics that excludes every flush. Rows
/// that are right are left alone. Returns the number of rows of revenue_metrics inserted, updated
/// or deleted.
int64 rebuild_revenue_days(const pg::Store &store, const pg_uuid_t &tenant, int32 from_day,
                           int32 to_day);

/// brainsait.rollup_wait: whether commits wait until they can write revenue_metrics themselves.
bool rollup_waits();

/// Keeps every tenant's time zone as it is until the transaction ends, for who takes the lock on
/// revenue_metrics before the transaction's flush: its order of locks is the flush's.
void lock_all_zones();

/// A table of the store by name; raises 42P01 where it is missing.
Oid store_table(const pg::Store &store, const char *name);

/// Registers transaction callbacks and invalidations. Called once, from _PG_init.
void init_revenue_rollup();

} // namespace brainsait
