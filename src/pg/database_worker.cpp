#include "pg/database_worker.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "libpq/pqsignal.h"
#include "nodes/pg_list.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
#include "utils/varlena.h"
}

namespace brainsait::pg {
namespace {

/// A worker that was killed, or could not go on, comes back after so long.
constexpr int restart_seconds = 10;

WorkerStart start;
bool connected = false;
emit_log_hook_type other_log_hook = nullptr;

BackgroundWorker description_of(const WorkerKind &kind, const WorkerStart &worker_start) {
  BackgroundWorker worker = {};
  pg_snprintf(worker.bgw_name, BGW_MAXLEN, "%s of database %s", kind.type,
              worker_start.database_name);
  strlcpy(worker.bgw_type, kind.type, BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = restart_seconds;
  strlcpy(worker.bgw_library_name, kind.library, sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, kind.function, sizeof worker.bgw_function_name);
  std::memcpy(worker.bgw_extra, &worker_start, sizeof worker_start);
  return worker;
}

// A database that was dropped while the worker rested is no error that anybody must hear of.
void silence_missing_database(ErrorData *error) {
  if (!connected && error->sqlerrcode == ERRCODE_UNDEFINED_DATABASE)
    error->output_to_server = false;
  if (other_log_hook != nullptr)
    other_log_hook(error);
}

// Exit code 0 tells the server to forget the worker. One that cannot even connect would only fail
// again and again; who needs one next starts another.
void forget_unconnected(int code, Datum) {
  if (code == 1 && !connected)
    proc_exit(0);
}

void set_parameters(const WorkerKind &kind) {
  static constexpr const char *parameters[][2] = {
      {"search_path", "pg_catalog, pg_temp"},
      {"default_transaction_isolation", "read committed"},
      {"default_transaction_read_only", "off"},
      {"session_replication_role", "origin"},
      {"row_security", "on"},
      {"lock_timeout", "0"},
  };
  set_worker_parameter("application_name", kind.type);
  for (const auto &parameter : parameters)
    set_worker_parameter(parameter[0], parameter[1]);
  if (GetConfigOption("transaction_timeout", true, false) != nullptr) // since PostgreSQL 17
    set_worker_parameter("transaction_timeout", "0");
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

} // namespace

BackgroundWorkerHandle *start_database_worker(const WorkerKind &kind) {
  WorkerStart worker_start;
  worker_start.database = MyDatabaseId;
  char *name = get_database_name(MyDatabaseId);
  strlcpy(worker_start.database_name, name == nullptr ? "" : name,
          sizeof worker_start.database_name);
  BackgroundWorker worker = description_of(kind, worker_start);
  BackgroundWorkerHandle *handle = nullptr;
  return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

void register_database_workers(const WorkerKind &kind, const char *databases) {
  List *names = NIL;
  if (!SplitIdentifierString(pstrdup(databases), ',', &names))
    return;
  List *seen = NIL;
  ListCell *cell;
  foreach (cell, names) {
    auto *name = static_cast<char *>(lfirst(cell));
    bool again = false;
    ListCell *other;
    foreach (other, seen)
      again = again || std::strcmp(name, static_cast<char *>(lfirst(other))) == 0;
    if (again)
      continue;
    seen = lappend(seen, name);
    WorkerStart worker_start;
    strlcpy(worker_start.database_name, name, sizeof worker_start.database_name);
    BackgroundWorker worker = description_of(kind, worker_start);
    RegisterBackgroundWorker(&worker);
  }
}

bool check_database_list(char **value, void **, GucSource) {
  List *names = NIL;
  if (SplitIdentifierString(pstrdup(*value), ',', &names))
    return true;
  GUC_check_errdetail("List syntax is invalid.");
  return false;
}

const WorkerStart &connect_database_worker(const WorkerKind &kind) {
  std::memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof start);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  if (!start.stays()) {
    other_log_hook = emit_log_hook;
    emit_log_hook = silence_missing_database;
    on_proc_exit(forget_unconnected, Datum(0));
  }
  BackgroundWorkerUnblockSignals();
  if (start.stays())
    BackgroundWorkerInitializeConnection(start.database_name, nullptr, 0);
  else
    BackgroundWorkerInitializeConnectionByOid(start.database, InvalidOid, 0);
  connected = true;
  set_parameters(kind);
  return start;
}

void set_worker_parameter(const char *name, const char *value) {
  SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

void leave_worker(bool again) {
  proc_exit(again ? 1 : 0);
  pg_unreachable();
}

void heed_signals() {
  if (ProcDiePending) // without the FATAL of an interrupted statement: nothing was going on
    leave_worker(true);
  QueryCancelPending = false; // for the same reason
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

void leave_when_database_is_wanted() {
  begin_worker_transaction();
  bool is_free = database_is_free();
  CommitTransactionCommand();
  if (!is_free)
    leave_worker(true);
}

void begin_worker_transaction() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
}

Oid extension_schema() {
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

bool run_reporting_errors(void (*work)(void *), void *argument, bool *again) {
  volatile bool succeeded = false;
  volatile bool may_mend = false;
  MemoryContext context = CurrentMemoryContext;
  PG_TRY();
  {
    work(argument);
    succeeded = true;
  }
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
  if (again != nullptr)
    *again = may_mend;
  return succeeded;
}

} // namespace brainsait::pg
