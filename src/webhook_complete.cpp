// complete_webhook_delivery(): what became of an attempt, and of the endpoint.

#include "core/webhook_retry.hpp"
#include "pg/interval.hpp"
#include "pg/query.hpp"

extern "C" {
#include "common/pg_prng.h"
}

namespace brainsait {
namespace {

constexpr int64 failing_too_long = 5 * USECS_PER_DAY;

/// The lease that attempt $2 of delivery $1 holds. One that ran out counts until somebody else has
/// the delivery.
pg::StoreQuery find_lease("SELECT created_at, webhook_id, failures "
                          "FROM @store@.webhook_deliveries "
                          "WHERE id OPERATOR(pg_catalog.=) $1"
                          "  AND attempt_count OPERATOR(pg_catalog.=) $2"
                          "  AND status OPERATOR(pg_catalog.=) 'leased' FOR UPDATE",
                          UUIDOID, INT4OID);

pg::StoreQuery record("UPDATE @store@.webhook_deliveries SET status = $3, next_attempt_at = $4,"
                      "  failures = $5, response_status = $6,"
                      "  response_body = pg_catalog.\"left\"($7, 2000), response_time = $8,"
                      "  delivered_at = $9, error = pg_catalog.\"left\"($10, 2000) "
                      "WHERE id OPERATOR(pg_catalog.=) $1"
                      "  AND created_at OPERATOR(pg_catalog.=) $2",
                      UUIDOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID, TEXTOID,
                      INT4OID, TIMESTAMPTZOID, TEXTOID);

// Both touch an endpoint's row only where something changes: many workers complete at once.

pg::StoreQuery endpoint_works("UPDATE @store@.webhooks SET failing_since = NULL "
                              "WHERE id OPERATOR(pg_catalog.=) $1 AND failing_since IS NOT NULL",
                              UUIDOID);

/// $2: now; $3: an endpoint that fails since then or longer is given up; $4: why it is given up
/// anyway, or null.
pg::StoreQuery endpoint_fails(
    "UPDATE @store@.webhooks SET "
    "  failing_since = CASE WHEN $4 IS NULL AND failing_since IS NULL THEN $2 END,"
    "  status = CASE WHEN $4 IS NULL AND failing_since IS NULL THEN status ELSE 'disabled' END,"
    "  disabled_at = CASE WHEN $4 IS NULL AND failing_since IS NULL THEN disabled_at ELSE $2 END,"
    "  disabled_reason = CASE WHEN $4 IS NULL AND failing_since IS NULL THEN disabled_reason"
    "    ELSE COALESCE($4, 'every delivery failed for five days') END "
    "WHERE id OPERATOR(pg_catalog.=) $1 AND status OPERATOR(pg_catalog.=) 'active'"
    "  AND ($4 IS NOT NULL OR failing_since IS NULL OR failing_since OPERATOR(pg_catalog.<=) $3)",
    UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID);

/// A delivery whose lease a worker holds.
struct HeldLease {
  TimestampTz created_at;
  pg_uuid_t webhook;
  int32 failures;
};

bool find_held(const pg::Store &store, Datum delivery, Datum attempt, HeldLease &held) {
  Datum arguments[] = {delivery, attempt};
  find_lease.run_by_index(store, arguments);
  if (SPI_processed == 0)
    return false;
  bool is_null;
  held.created_at = DatumGetTimestampTz(pg::result_datum(0, 1, is_null));
  held.webhook = *DatumGetUUIDP(pg::result_datum(0, 2, is_null));
  held.failures = DatumGetInt32(pg::result_datum(0, 3, is_null));
  return true;
}

const char *status_of(core::DeliveryOutcome outcome) {
  switch (outcome) {
  case core::DeliveryOutcome::delivered:
    return "delivered";
  case core::DeliveryOutcome::retried:
    return "pending";
  case core::DeliveryOutcome::dead:
    return "dead";
  }
  return "dead";
}

/// The arguments of complete_webhook_delivery(), in their order.
enum Argument {
  delivery_id,
  attempt,
  response_status,
  response_body,
  response_time,
  retry_after,
  error_text
};

core::DeliveryAnswer read_answer(FunctionCallInfo fcinfo, const HeldLease &held) {
  core::DeliveryAnswer answer;
  answer.failures = held.failures;
  if (!PG_ARGISNULL(response_status))
    answer.status = PG_GETARG_INT32(response_status);
  if (!PG_ARGISNULL(retry_after))
    answer.retry_after = pg::fixed_microseconds(PG_GETARG_INTERVAL_P(retry_after), "retry_after");
  return answer;
}

void record_outcome(const pg::Store &store, FunctionCallInfo fcinfo, const HeldLease &held,
                    const core::DeliveryVerdict &verdict, TimestampTz now) {
  bool is_delivered = verdict.outcome == core::DeliveryOutcome::delivered;
  Datum arguments[] = {PG_GETARG_DATUM(delivery_id),
                       TimestampTzGetDatum(held.created_at),
                       CStringGetTextDatum(status_of(verdict.outcome)),
                       TimestampTzGetDatum(now + verdict.delay),
                       Int32GetDatum(is_delivered ? held.failures : held.failures + 1),
                       PG_GETARG_DATUM(response_status),
                       PG_GETARG_DATUM(response_body),
                       PG_GETARG_DATUM(response_time),
                       TimestampTzGetDatum(now),
                       PG_GETARG_DATUM(error_text)};
  auto null_if = [](bool is_null) { return is_null ? 'n' : ' '; };
  char nulls[] = {' ',
                  ' ',
                  ' ',
                  null_if(verdict.outcome != core::DeliveryOutcome::retried),
                  ' ',
                  null_if(PG_ARGISNULL(response_status)),
                  null_if(PG_ARGISNULL(response_body)),
                  null_if(PG_ARGISNULL(response_time)),
                  null_if(!is_delivered),
                  null_if(PG_ARGISNULL(error_text))};
  record.run(store, arguments, nulls);
}

void judge_endpoint(const pg::Store &store, const HeldLease &held,
                    const core::DeliveryVerdict &verdict, TimestampTz now) {
  Datum webhook = UUIDPGetDatum(&held.webhook);
  if (verdict.outcome == core::DeliveryOutcome::delivered) {
    endpoint_works.run(store, &webhook);
    return;
  }
  Datum arguments[] = {webhook, TimestampTzGetDatum(now),
                       TimestampTzGetDatum(now - failing_too_long),
                       CStringGetTextDatum("the endpoint answered 410 Gone")};
  endpoint_fails.run(store, arguments, verdict.disables_endpoint ? "    " : "   n");
}

void require_arguments(FunctionCallInfo fcinfo) {
  pg::require_argument(fcinfo, delivery_id, "delivery_id");
  pg::require_argument(fcinfo, attempt, "attempt");
  if (!PG_ARGISNULL(response_status) &&
      (PG_GETARG_INT32(response_status) < 100 || PG_GETARG_INT32(response_status) > 599))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("response_status must be between 100 and 599"),
                    errhint("Where there was no response, it is null.")));
  if (!PG_ARGISNULL(response_time) && PG_GETARG_INT32(response_time) < 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("response_time must not be negative")));
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_complete_webhook_delivery);

/// complete_webhook_delivery(delivery_id, attempt, response_status, response_body, response_time,
/// retry_after, error): records how an attempt ended, and returns the delivery's new status;
/// 'stale', and nothing changes, where that attempt does not hold it. Errors: 22023 for arguments
/// that make no sense.
Datum brainsait_complete_webhook_delivery(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  require_arguments(fcinfo);
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  TimestampTz now = GetCurrentTimestamp();
  const char *status = "stale";
  HeldLease held;
  pg::OwnerSession session = pg::begin_owner_session(store);
  if (find_held(store, PG_GETARG_DATUM(delivery_id), PG_GETARG_DATUM(attempt), held)) {
    core::DeliveryVerdict verdict =
        core::judge_delivery(read_answer(fcinfo, held), pg_prng_double(&pg_global_prng_state));
    record_outcome(store, fcinfo, held, verdict, now);
    judge_endpoint(store, held, verdict, now);
    status = status_of(verdict.outcome);
  }
  pg::end_owner_session(session);
  PG_RETURN_TEXT_P(cstring_to_text(status));
}
}
