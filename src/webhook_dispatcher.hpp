#pragma once

#include "pg/database_worker.hpp"
#include "pg/session_key.hpp"

namespace brainsait {

/// What brainsait, which starts and stops the dispatcher of webhooks, and brainsait_dispatcher,
/// which is it, know of one another.
constexpr pg::WorkerKind webhook_dispatcher_kind = {"brainsait webhook dispatcher",
                                                    "$libdir/brainsait_dispatcher",
                                                    "brainsait_webhook_dispatcher_main"};

// Keys of LockClass::webhook_dispatcher: a database's dispatcher holds every_key for its session,
// and whoever wants it to end holds this one.
constexpr uint64 stop_dispatcher_key = 1;

} // namespace brainsait
