// start_webhook_dispatcher() and stop_webhook_dispatcher(). The dispatcher itself is a library of
// its own, src/dispatcher, so that this one links no HTTP client.

#include "webhook_dispatcher.hpp"

#include "pg/query.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/latch.h"
}

#include <unistd.h>

namespace brainsait {
namespace {

/// How long a dispatcher may take to start or to end, milliseconds.
constexpr int64 patience = 10'000;
constexpr long pause = 20;

void require_library() {
  char *path = psprintf("%s/brainsait_dispatcher%s", pkglib_path, DLSUFFIX);
  if (access(path, R_OK) == 0)
    return;
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FILE),
                  errmsg("the webhook dispatcher is not installed on this server"),
                  errdetail("There is no file \"%s\".", path),
                  errhint("It is built where libcurl's headers are (Debian: libcurl4-openssl-dev): "
                          "install them, then run make and make install.")));
}

bool is_running() { return !pg::key_is_free(pg::LockClass::webhook_dispatcher, pg::every_key); }

void rest() {
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause,
                  PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

TimestampTz end_of_patience() { return GetCurrentTimestamp() + patience * 1000; }

[[noreturn]] void raise_not_started() {
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("the webhook dispatcher did not start"), errhint("The server's log says why.")));
  pg_unreachable();
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_start_webhook_dispatcher);
PG_FUNCTION_INFO_V1(brainsait_stop_webhook_dispatcher);

/// start_webhook_dispatcher() → boolean: whether it was this call that started this database's
/// dispatcher; false where it runs already.
Datum brainsait_start_webhook_dispatcher(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  require_library();
  if (RecoveryInProgress())
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                    errmsg("the webhook dispatcher does not run on a standby")));
  if (is_running())
    PG_RETURN_BOOL(false);
  BackgroundWorkerHandle *handle = pg::start_database_worker(webhook_dispatcher_kind);
  if (handle == nullptr)
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("no background worker could be started to send webhooks"),
                    errhint("You might need to increase max_worker_processes.")));
  for (TimestampTz end = end_of_patience(); GetCurrentTimestamp() < end;) {
    rest();
    if (is_running())
      PG_RETURN_BOOL(true);
    pid_t pid;
    if (GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED)
      raise_not_started();
  }
  raise_not_started();
}

/// stop_webhook_dispatcher() → boolean: whether there was one in this database. Returns when it has
/// ended; requests that it had under way are sent again when their leases end.
Datum brainsait_stop_webhook_dispatcher(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  if (!is_running())
    PG_RETURN_BOOL(false);
  if (!pg::try_lock_key(pg::LockClass::webhook_dispatcher, stop_dispatcher_key))
    ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                    errmsg("another session is stopping the webhook dispatcher")));
  bool runs = true;
  for (TimestampTz end = end_of_patience(); runs && GetCurrentTimestamp() < end;) {
    rest();
    runs = is_running();
  }
  pg::unlock_key(pg::LockClass::webhook_dispatcher, stop_dispatcher_key);
  if (runs)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the webhook dispatcher did not stop")));
  PG_RETURN_BOOL(true);
}
}
