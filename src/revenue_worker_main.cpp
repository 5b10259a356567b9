// The worker that folds revenue_deltas in the background: a process of its own per database.
//
// It has the database to itself no more than any session has, but nobody can ask it to leave: so it
// looks for itself, at least once a second, whether somebody waits for the database's lock, as
// DROP DATABASE, ALTER DATABASE ... RENAME and CREATE DATABASE ... TEMPLATE do while they wait for
// other sessions to end, and leaves. The server starts it again 10 s later, where there still is a
// database.
//
// An error, of an application's trigger on revenue_metrics say, ends a transaction, not the worker:
// it reports the error, rests and tries again.

#include "pg/database_worker.hpp"
#include "pg/query.hpp"
#include "pg/session_key.hpp"
#include "revenue_fold.hpp"
#include "revenue_worker.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
}

#include <algorithm>

namespace brainsait {
namespace {

/// How long the worker rests after an error that will not mend itself, milliseconds.
constexpr int64 rest_after_error = 10'000;

/// How often, and how long each time in milliseconds, a worker tries to become the database's.
/// Writers that look whether there is one keep the key for an instant each.
constexpr int key_attempts = 20;
constexpr int64 key_pause = 50;

enum class Pass {
  folded_slice,  ///< as much as a slice holds; there is more
  folded_all,    ///< what was pending when the pass began
  nothing,       ///< was pending
  failed,        ///< with an error that is reported
  store_missing, ///< there is no extension, or it has no tables
  left,          ///< the worker has given its key back
};

bool stays = false;

void connect() {
  stays = pg::connect_database_worker(fold_worker_kind).stays();
  // Whoever waits longest in a deadlock is cancelled: that should be the worker, which can try
  // again.
  pg::set_worker_parameter("deadlock_timeout", "100ms");
  // What a crash takes back is pending again.
  pg::set_worker_parameter("synchronous_commit", "off");
  become_fold_worker();
}

/// Sleeps that long, or until brainsait.rollup_naptime changes.
void sleep_for(int64 milliseconds) {
  TimestampTz end = GetCurrentTimestamp() + milliseconds * 1000;
  int naptime = rollup_naptime();
  pgstat_report_activity(STATE_IDLE, nullptr);
  do {
    pg::heed_signals();
    int64 rest = (end - GetCurrentTimestamp() + 999) / 1000;
    if (rest <= 0)
      break;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                    long(std::min(rest, pg::longest_worker_sleep)), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    pg::heed_signals();
    pg::leave_when_database_is_wanted();
  } while (rollup_naptime() == naptime);
}

/// The lock on revenue_deltas in the store's schema, so that the store cannot go away before the
/// transaction ends; false where there is no store, or where the lock is to be had only by waiting
/// and `wait` says not to.
bool lock_store(LOCKMODE mode, bool wait, Oid &schema, bool &is_missing) {
  is_missing = true;
  schema = pg::extension_schema();
  if (!OidIsValid(schema))
    return false;
  Oid deltas = get_relname_relid("revenue_deltas", schema);
  if (!OidIsValid(deltas))
    return false;
  is_missing = false;
  if (wait)
    LockRelationOid(deltas, mode);
  else if (!ConditionalLockRelationOid(deltas, mode))
    return false;
  is_missing = schema != pg::extension_schema() ||
               deltas != get_relname_relid("revenue_deltas", schema) ||
               !OidIsValid(get_relname_relid("tenants", schema));
  return !is_missing;
}

/// Runs the rest of the transaction, its end included, as the tables' owner: deferred triggers of
/// whoever may put triggers on the rollup are not to run as the superuser that the worker connects
/// as. An error's abort gives the worker its user back.
void become_owner(const pg::Store &store) {
  SetUserIdAndSecContext(store.owner, SECURITY_LOCAL_USERID_CHANGE);
}

void end_transaction(Oid user, int security_context) {
  CommitTransactionCommand();
  SetUserIdAndSecContext(user, security_context);
}

Pass fold() {
  Oid user;
  int security_context;
  GetUserIdAndSecContext(&user, &security_context);
  pg::begin_worker_transaction();
  pgstat_report_activity(STATE_RUNNING, "folding the deltas of the revenue rollup");
  Oid schema;
  bool is_missing;
  FoldedSlice slice = {};
  if (lock_store(RowExclusiveLock, true, schema, is_missing)) {
    const pg::Store store = pg::store_in_schema(schema);
    become_owner(store);
    slice = fold_revenue_deltas(store);
  }
  end_transaction(user, security_context);
  pgstat_report_stat(false);
  if (is_missing)
    return Pass::store_missing;
  if (slice.folded == 0)
    return Pass::nothing;
  return slice.more ? Pass::folded_slice : Pass::folded_all;
}

/// Gives the worker's key back where no delta is pending and nobody has one that is not committed
/// yet: such a transaction, a prepared one too, holds ROW EXCLUSIVE on revenue_deltas.
Pass give_up_idle() {
  Oid user;
  int security_context;
  GetUserIdAndSecContext(&user, &security_context);
  pg::begin_worker_transaction();
  Oid schema;
  bool is_missing;
  bool idle = false;
  if (lock_store(ShareLock, false, schema, is_missing)) {
    const pg::Store store = pg::store_in_schema(schema);
    become_owner(store);
    idle = !any_delta_pending(store);
    if (idle)
      pg::unlock_session_key(pg::LockClass::fold_worker, pg::every_key);
  }
  end_transaction(user, security_context);
  return idle ? Pass::left : Pass::nothing;
}

struct GuardedPass {
  Pass (*pass)();
  Pass result = Pass::failed;
};

void run_pass(void *argument) {
  auto *guarded = static_cast<GuardedPass *>(argument);
  guarded->result = guarded->pass();
}

/// Runs a pass; what it fails with is reported and undone. `again` tells whether the failure may
/// mend itself at once, as a deadlock does.
Pass guarded_pass(Pass (*pass)(), bool &again) {
  GuardedPass guarded = {pass};
  (void)pg::run_reporting_errors(run_pass, &guarded, &again);
  return guarded.result;
}

/// Becomes the database's worker. Where there is one, a worker that stays waits for its end.
void take_key() {
  for (;;) {
    for (int attempt = 0; attempt < key_attempts; ++attempt) {
      if (pg::try_lock_session_key(pg::LockClass::fold_worker, pg::every_key))
        return;
      sleep_for(key_pause);
    }
    if (!stays)
      pg::leave_worker(false);
    sleep_for(pg::longest_worker_sleep);
  }
}

[[noreturn]] void work() {
  TimestampTz idle_since = GetCurrentTimestamp();
  for (;;) {
    bool again = false;
    Pass pass = Pass::nothing;
    if (rollup_naptime() > 0)
      pass = guarded_pass(fold, again);
    else if (!stays)
      pg::leave_worker(false);
    TimestampTz now = GetCurrentTimestamp();
    if (pass == Pass::folded_slice || pass == Pass::folded_all)
      idle_since = now;
    // Otherwise what is appended meanwhile waits for a nap's end: under load a fold for every few
    // deltas would cost more than the deltas save.
    if (pass == Pass::folded_slice) {
      pg::heed_signals();
      pg::leave_when_database_is_wanted();
      continue;
    }
    if (!stays) {
      if (pass == Pass::store_missing)
        pg::leave_worker(false);
      if (pass == Pass::nothing && now - idle_since >= int64(rollup_idle_exit()) * 1000 &&
          guarded_pass(give_up_idle, again) == Pass::left)
        pg::leave_worker(false);
    }
    bool rests = pass == Pass::failed && !again;
    sleep_for(rests                  ? rest_after_error
              : rollup_naptime() > 0 ? rollup_naptime()
                                     : pg::longest_worker_sleep);
  }
}

} // namespace
} // namespace brainsait

extern "C" {

PGDLLEXPORT void brainsait_fold_worker_main(Datum);

/// The process of a worker. Nothing in it throws: what can is guarded where it is called.
void brainsait_fold_worker_main(Datum) {
  using namespace brainsait;
  connect();
  take_key();
  work();
}
}
