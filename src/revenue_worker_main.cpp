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

#include "pg/query.hpp"
#include "pg/session_key.hpp"
#include "revenue_fold.hpp"
#include "revenue_worker.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "libpq/pqsignal.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
}

#include <algorithm>

namespace brainsait {
namespace {

/// Nobody who waits for the database waits longer for the worker, milliseconds.
constexpr int64 longest_sleep = 1000;

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

FoldWorkerStart start;
bool connected = false;
emit_log_hook_type other_log_hook = nullptr;

bool stays() { return !OidIsValid(start.database); }

// A database that was dropped while the worker rested is no error that anybody must hear of.
void silence_missing_database(ErrorData *error) {
  if (!connected && error->sqlerrcode == ERRCODE_UNDEFINED_DATABASE)
    error->output_to_server = false;
  if (other_log_hook != nullptr)
    other_log_hook(error);
}

// Exit code 0 tells the server to forget the worker. One that cannot even connect would only fail
// again and again; who appends next starts another.
void forget_unconnected(int code, Datum) {
  if (code == 1 && !connected)
    proc_exit(0);
}

/// Settings that belong to the database or to the server's sessions in general, and would stand in
/// the worker's way.
void set_parameters() {
  static constexpr const char *parameters[][2] = {
      {"application_name", "brainsait rollup worker"},
      {"search_path", "pg_catalog, pg_temp"},
      {"default_transaction_isolation", "read committed"},
      {"default_transaction_read_only", "off"},
      {"session_replication_role", "origin"},
      {"row_security", "on"},
      {"lock_timeout", "0"},
      // Whoever waits longest in a deadlock is cancelled: that should be the worker, which can try
      // again.
      {"deadlock_timeout", "100ms"},
      // What a crash takes back is pending again.
      {"synchronous_commit", "off"},
  };
  for (const auto &parameter : parameters)
    SetConfigOption(parameter[0], parameter[1], PGC_SUSET, PGC_S_OVERRIDE);
  if (GetConfigOption("transaction_timeout", true, false) != nullptr) // since PostgreSQL 17
    SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
}

void connect() {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  if (!stays()) {
    other_log_hook = emit_log_hook;
    emit_log_hook = silence_missing_database;
    on_proc_exit(forget_unconnected, Datum(0));
  }
  BackgroundWorkerUnblockSignals();
  if (stays())
    BackgroundWorkerInitializeConnection(start.database_name, nullptr, 0);
  else
    BackgroundWorkerInitializeConnectionByOid(start.database, InvalidOid, 0);
  connected = true;
  set_parameters();
  become_fold_worker();
}

/// The worker leaves, to be started again where `again`.
[[noreturn]] void leave(bool again) {
  proc_exit(again ? 1 : 0);
  pg_unreachable();
}

/// Whether nobody holds or awaits the lock that keeps sessions out of the database.
bool database_is_free() {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
  // What a session that connects takes for a moment.
  if (LockAcquire(&tag, RowExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
    return false;
  LockRelease(&tag, RowExclusiveLock, false);
  return true;
}

void begin_transaction() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
}

void heed_signals() {
  if (ProcDiePending) // without the FATAL of an interrupted statement: nothing was going on
    leave(true);
  QueryCancelPending = false; // for the same reason
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

void leave_when_database_is_wanted() {
  begin_transaction();
  bool is_free = database_is_free();
  CommitTransactionCommand();
  if (!is_free)
    leave(true);
}

/// Sleeps that long, or until brainsait.rollup_naptime changes.
void sleep_for(int64 milliseconds) {
  TimestampTz end = GetCurrentTimestamp() + milliseconds * 1000;
  int naptime = rollup_naptime();
  pgstat_report_activity(STATE_IDLE, nullptr);
  do {
    heed_signals();
    int64 rest = (end - GetCurrentTimestamp() + 999) / 1000;
    if (rest <= 0)
      break;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                    long(std::min(rest, longest_sleep)), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    heed_signals();
    leave_when_database_is_wanted();
  } while (rollup_naptime() == naptime);
}

/// The schema of the extension in this database; InvalidOid where there is none.
Oid store_schema() {
  Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum("brainsait"));
  SysScanDesc scan = systable_beginscan(extensions, ExtensionNameIndexId, true, nullptr, 1, &key);
  HeapTuple row = systable_getnext(scan);
  Oid schema = HeapTupleIsValid(row)
                   ? reinterpret_cast<Form_pg_extension>(GETSTRUCT(row))->extnamespace
                   : InvalidOid;
  systable_endscan(scan);
  table_close(extensions, AccessShareLock);
  return schema;
}

/// The lock on revenue_deltas in the store's schema, so that the store cannot go away before the
/// transaction ends; false where there is no store, or where the lock is to be had only by waiting
/// and `wait` says not to.
bool lock_store(LOCKMODE mode, bool wait, Oid &schema, bool &is_missing) {
  is_missing = true;
  schema = store_schema();
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
  is_missing = schema != store_schema() || deltas != get_relname_relid("revenue_deltas", schema) ||
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
  begin_transaction();
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
  begin_transaction();
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

/// Runs a pass; what it fails with is reported and undone. `again` tells whether the failure may
/// mend itself at once, as a deadlock does.
Pass guarded_pass(Pass (*pass)(), bool &again) {
  volatile Pass result = Pass::failed;
  volatile bool may_mend = false;
  MemoryContext context = CurrentMemoryContext;
  PG_TRY();
  { result = pass(); }
  PG_CATCH();
  {
    HOLD_INTERRUPTS();
    may_mend =
        ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_TO_CATEGORY(ERRCODE_T_R_DEADLOCK_DETECTED);
    EmitErrorReport();
    AbortCurrentTransaction();
    MemoryContextSwitchTo(context);
    FlushErrorState();
    RESUME_INTERRUPTS();
  }
  PG_END_TRY();
  again = may_mend;
  return result;
}

/// Becomes the database's worker. Where there is one, a worker that stays waits for its end.
void take_key() {
  for (;;) {
    for (int attempt = 0; attempt < key_attempts; ++attempt) {
      if (pg::try_lock_session_key(pg::LockClass::fold_worker, pg::every_key))
        return;
      sleep_for(key_pause);
    }
    if (!stays())
      leave(false);
    sleep_for(longest_sleep);
  }
}

[[noreturn]] void work() {
  TimestampTz idle_since = GetCurrentTimestamp();
  for (;;) {
    bool again = false;
    Pass pass = Pass::nothing;
    if (rollup_naptime() > 0)
      pass = guarded_pass(fold, again);
    else if (!stays())
      leave(false);
    TimestampTz now = GetCurrentTimestamp();
    if (pass == Pass::folded_slice || pass == Pass::folded_all)
      idle_since = now;
    // Otherwise what is appended meanwhile waits for a nap's end: under load a fold for every few
    // deltas would cost more than the deltas save.
    if (pass == Pass::folded_slice) {
      heed_signals();
      leave_when_database_is_wanted();
      continue;
    }
    if (!stays()) {
      if (pass == Pass::store_missing)
        leave(false);
      if (pass == Pass::nothing && now - idle_since >= int64(rollup_idle_exit()) * 1000 &&
          guarded_pass(give_up_idle, again) == Pass::left)
        leave(false);
    }
    bool rests = pass == Pass::failed && !again;
    sleep_for(rests ? rest_after_error : rollup_naptime() > 0 ? rollup_naptime() : longest_sleep);
  }
}

} // namespace
} // namespace brainsait

extern "C" {

PGDLLEXPORT void brainsait_fold_worker_main(Datum);

/// The process of a worker. Nothing in it throws: what can is guarded where it is called.
void brainsait_fold_worker_main(Datum) {
  using namespace brainsait;
  std::memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof start);
  connect();
  take_key();
  work();
}
}
