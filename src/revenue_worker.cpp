// Starting the workers that fold revenue_deltas: on request of a transaction that appended, or with
// the server for the databases of brainsait.rollup_databases. What they do is in
// revenue_worker_main.cpp.
//
// A database has one worker, which holds the database's fold_worker key for its session. Whoever
// appends looks whether the key is free, after appending: a worker gives the key back only while it
// holds a lock on revenue_deltas that nobody who appended and has not ended yet lets it have. So
// either the worker sees the delta before it leaves, or the writer sees the worker gone.

#include "revenue_worker.hpp"

#include "pg/query.hpp"
#include "pg/session_key.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/fd.h"
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace brainsait {
namespace {

/// How long a session waits that found no room for a worker before it tries again.
constexpr TimestampTz retry_after = 10 * USECS_PER_SEC;

// Keys of LockClass::fold_worker beside the worker's own, every_key. Who starts a worker takes the
// key of the present second for its session and keeps it: a worker takes a moment to start, and
// meanwhile others would start more of them.
constexpr uint64 key_of_second_zero = 1;

/// Whoever says in the log that no worker can be started leaves a file that says when. Sessions
/// come and go too fast to remember, and there is no shared memory where nothing is preloaded.
constexpr char warning_file[] = PG_STAT_TMP_DIR "/brainsait_no_rollup_worker";
constexpr int warning_seconds = 3600;

pg::StoreQuery any_delta("SELECT EXISTS (SELECT FROM @store@.revenue_deltas d WHERE "
                         "d.written_by OPERATOR(pg_catalog.>=) @store@.revenue_deltas_from())");

int naptime = 1000;
int idle_exit = 60'000;
char *databases = nullptr;

bool is_worker = false;
bool has_looked = false; ///< request_fold_worker_once() has
bool request_failed = false;
TimestampTz last_failure = 0;
uint64 last_second_key = 0;

/// Whether this session is the one that starts a worker now.
bool is_my_turn(TimestampTz now) {
  uint64 key = key_of_second_zero + uint64(now / USECS_PER_SEC);
  if (key == last_second_key || !pg::try_lock_session_key(pg::LockClass::fold_worker, key))
    return false;
  if (last_second_key != 0)
    pg::unlock_session_key(pg::LockClass::fold_worker, last_second_key);
  last_second_key = key;
  return true;
}

/// Whether this session is the one that says so, now that nobody has since the server's start or
/// for an hour.
bool is_mine_to_warn(TimestampTz now) {
  struct stat found;
  if (stat(warning_file, &found) == 0) {
    TimestampTz said = time_t_to_timestamptz(found.st_mtime);
    // A file's time comes in whole seconds.
    if (said >= PgStartTime - USECS_PER_SEC && now - said < warning_seconds * USECS_PER_SEC)
      return false;
    unlink(warning_file);
  }
  int file = OpenTransientFile(warning_file, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY);
  if (file < 0)
    return false; // another session was faster
  CloseTransientFile(file);
  return true;
}

void note_failure(TimestampTz now) {
  last_failure = now;
  // Others find out for themselves, and fold what they meet from then on.
  pg::unlock_session_key(pg::LockClass::fold_worker, last_second_key);
  if (!is_mine_to_warn(now))
    return;
  ereport(WARNING,
          (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
           errmsg("no background worker could be started to fold the deltas of the revenue rollup"),
           errdetail("Transactions that write revenue_metrics fold them meanwhile, and "
                     "fold_revenue_deltas() does."),
           errhint("You might need to increase max_worker_processes.")));
}

} // namespace

void request_fold_worker(const pg::Store &) {
  if (is_worker || naptime == 0 || !IsUnderPostmaster)
    return;
  if (!pg::key_is_free(pg::LockClass::fold_worker, pg::every_key)) {
    request_failed = false;
    return;
  }
  TimestampTz now = GetCurrentTimestamp();
  if (request_failed && now - last_failure < retry_after)
    return;
  if (!is_my_turn(now))
    return;
  request_failed = pg::start_database_worker(fold_worker_kind) == nullptr;
  if (request_failed)
    note_failure(now);
}

void request_fold_worker_once(const pg::Store &store) {
  // A transaction with a snapshot of its own appends, and asks anyway; under SERIALIZABLE to look
  // would be to conflict with every other that appends.
  if (has_looked || is_worker || naptime == 0 || IsolationUsesXactSnapshot())
    return;
  has_looked = true;
  if (pg::key_is_free(pg::LockClass::fold_worker, pg::every_key) && any_delta_pending(store))
    request_fold_worker(store);
}

bool any_delta_pending(const pg::Store &store) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  any_delta.run(store, nullptr);
  bool any = DatumGetBool(pg::result_scalar());
  pg::end_owner_session(session);
  return any;
}

bool writers_must_fold() { return !is_worker && (naptime == 0 || request_failed); }

int rollup_naptime() { return naptime; }
int rollup_idle_exit() { return idle_exit; }

void become_fold_worker() { is_worker = true; }

void init_fold_worker() {
  DefineCustomIntVariable(
      "brainsait.rollup_naptime",
      "How long the worker that folds the revenue rollup's deltas rests between two passes.",
      "0 stops the workers: transactions that write the rollup fold what they meet.", &naptime,
      1000, 0, 3'600'000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "brainsait.rollup_idle_exit", "How long the worker stays that has nothing to fold.", nullptr,
      &idle_exit, 60'000, 0, 86'400'000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  // Read once, while the server starts; elsewhere it is defined only so that its name is known.
  DefineCustomStringVariable(
      "brainsait.rollup_databases", "Databases whose worker is started with the server and stays.",
      "Needs brainsait in shared_preload_libraries.", &databases, "",
      process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, GUC_LIST_INPUT,
      pg::check_database_list, nullptr, nullptr);
  if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
    pg::register_database_workers(fold_worker_kind, databases);
}

} // namespace brainsait
