#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/jsonb.h"
}

namespace brainsait {

/// A payload's text is at most this long; a larger one becomes a thin one, whose object holds the
/// id alone.
constexpr int largest_webhook_body = 20 * 1024;

/// What every event carries besides its object.
struct WebhookEnvelope {
  const pg_uuid_t *event;
  const pg_uuid_t *tenant;
  const char *type;
  TimestampTz created;
};

/// The payload of an event about a row: of the columns in `names` those that the relation has,
/// whatever their order and type; no other column ever leaves the store. In the current memory
/// context.
Jsonb *webhook_row_payload(const WebhookEnvelope &envelope, Relation relation, TupleTableSlot *row,
                           std::span<const char *const> names);

/// The payload of an event about a JSON object.
Jsonb *webhook_object_payload(const WebhookEnvelope &envelope, Jsonb *object);

} // namespace brainsait
