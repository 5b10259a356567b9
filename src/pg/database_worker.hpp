#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace brainsait::pg {

/// What a background worker that serves one database is started with, in
/// BackgroundWorker::bgw_extra.
struct WorkerStart {
  Oid database = InvalidOid; ///< connect to this one and leave when idle; else by name, and stay
  char database_name[NAMEDATALEN] = {};

  /// Whether it was registered for a name by the server's configuration, and stays.
  bool stays() const { return !OidIsValid(database); }
};
static_assert(std::is_trivially_copyable_v<WorkerStart> &&
              sizeof(WorkerStart) <= 128); // BGW_EXTRALEN

/// A kind of worker. All three are parts of this library's own and live as long as it does.
struct WorkerKind {
  const char *type;     ///< of pg_stat_activity.backend_type, and its application_name
  const char *library;  ///< that has the function
  const char *function; ///< the worker's process
};

/// Has the server start a worker for the session's database; null where it has no room for one.
BackgroundWorkerHandle *start_database_worker(const WorkerKind &kind);

/// Registers a worker that stays for each database of a list, which check_database_list() took.
/// While the server loads its libraries.
void register_database_workers(const WorkerKind &kind, const char *databases);

/// Check hook of a parameter that lists databases.
bool check_database_list(char **value, void **, GucSource);

/// The worker's first steps: signals, the connection as a superuser, parameters that belong to the
/// database or to the server's sessions in general and would stand in the worker's way. SIGTERM is
/// die()'s. Returns what it was started with, for the process's life.
const WorkerStart &connect_database_worker(const WorkerKind &kind);

/// Sets a parameter of this process, whatever its own configuration says.
void set_worker_parameter(const char *name, const char *value);

/// The worker ends, to be started again some seconds later where `again`.
[[noreturn]] void leave_worker(bool again);

/// To be called outside transactions, after each sleep: leaves when told to, reads the
/// configuration again when told to.
void heed_signals();

/// Leaves where somebody waits for the database's lock. Nobody can ask a superuser's worker to
/// leave, so it has to look for itself, at least once a second: DROP DATABASE, ALTER DATABASE ...
/// RENAME and CREATE DATABASE ... TEMPLATE hold the lock while they wait for sessions to end. The
/// server starts the worker again later, where there still is a database.
void leave_when_database_is_wanted();

/// Nobody who waits for the database is to wait longer for the worker, milliseconds.
constexpr int64 longest_worker_sleep = 1000;

/// Begins a transaction of the worker's.
void begin_worker_transaction();

/// The schema of the extension in this database; InvalidOid where there is none. In a transaction.
Oid extension_schema();

/// Runs a piece of work with transactions of its own; false where it failed: then the error is
/// reported and its transaction undone. `again`, where not null, tells whether the failure may mend
/// itself at once, as a deadlock does. No object with a destructor may be alive inside `work` where
/// it can raise.
bool run_reporting_errors(void (*work)(void *), void *argument, bool *again);

} // namespace brainsait::pg
