#pragma once

#include "pg/database_worker.hpp"
#include "pg/store.hpp"

namespace brainsait {

constexpr pg::WorkerKind fold_worker_kind = {"brainsait rollup worker", "$libdir/brainsait",
                                             "brainsait_fold_worker_main"};

/// To be called inside a transaction that has appended to revenue_deltas, after it did: starts the
/// worker that folds them where this database has none. Costs a look at a lock where it has one,
/// waits for nobody, and raises nothing but out of memory. Where no worker can be started it is
/// tried again 10 s later, and said in the server's log once an hour for all sessions together.
void request_fold_worker(const pg::Store &store);

/// request_fold_worker() for the first transaction of a session that writes the rollup, where a
/// delta is pending and no worker is there: a server that was stopped, or was a standby, has no
/// worker before somebody asks for one. Does nothing from the second call on.
void request_fold_worker_once(const pg::Store &store);

/// Whether there is a delta to fold that is committed or this transaction's own.
bool any_delta_pending(const pg::Store &store);

/// Whether a transaction that writes a bucket of revenue_metrics should fold the bucket's pending
/// deltas too, because nobody else does: brainsait.rollup_naptime is 0, or this session's last
/// request for a worker failed.
bool writers_must_fold();

/// brainsait.rollup_naptime and brainsait.rollup_idle_exit, in milliseconds.
int rollup_naptime();
int rollup_idle_exit();

/// For the worker itself: its own transactions request none.
void become_fold_worker();

/// Defines the parameters and, while the server loads its libraries, registers a worker for each
/// database of brainsait.rollup_databases. Called once, from _PG_init.
void init_fold_worker();

} // namespace brainsait
