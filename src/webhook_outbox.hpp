#pragma once

#include "core/webhook_events.hpp"
#include "pg/store.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace brainsait {

/// Notes that a row change is an event, to be written to the outbox before the transaction commits:
/// one row of webhook_deliveries per active endpoint of the tenant that wants it then. `names` are
/// the columns that its payload shows. A savepoint that is rolled back takes its events along.
void note_webhook_event(const pg::Store &store, core::WebhookEvent event, const pg_uuid_t &tenant,
                        Relation relation, TupleTableSlot *row, std::span<const char *const> names);

/// Registers transaction callbacks and the parameter. Called once, from _PG_init, after the
/// rollup's: what is written last is called first, and the outbox comes before the rollup's rows,
/// which are locked until the end.
void init_webhook_outbox();

} // namespace brainsait
