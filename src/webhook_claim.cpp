// claim_webhook_deliveries(): leases what is due to a worker, fairly over tenants.
//
// Tenants with open deliveries are walked round and round by the index that leads with the tenant,
// each claim from where the session's last one ended; every tenant gives one delivery before any
// gives two. So a tenant with very many delays nobody's first. A session's first claim begins at a
// tenant by chance, for workers that connect anew for each.

#include "core/webhook_retry.hpp"
#include "pg/interval.hpp"
#include "pg/query.hpp"
#include "webhook_secrets.hpp"
#include "webhook_signature.hpp"
#include "webhook_tenants.hpp"

extern "C" {
#include "common/pg_prng.h"
#include "utils/array.h"
}

#include <algorithm>

namespace brainsait {
namespace {

constexpr int most_claimed = 1'000;
constexpr int64 longest_lease = USECS_PER_DAY;

// Deliveries that turn out not to be sent are settled on the way, but no more than these: the next
// claim goes on.
constexpr int most_settled = 1'000;

/// Leases at most $3 deliveries of each tenant of $1 that are due at $2, at most $4 in all, until
/// $5. A lease that ran out is a failure.
pg::StoreQuery lease_due(
    "WITH due AS MATERIALIZED ("
    "  SELECT first.id, first.created_at, first.webhook_id FROM pg_catalog.unnest($1) AS t "
    "(tenant) "
    "  CROSS JOIN LATERAL ("
    "    SELECT d.id, d.created_at, d.webhook_id FROM @store@.webhook_deliveries d "
    "    WHERE d.tenant_id OPERATOR(pg_catalog.=) t.tenant "
    "      AND d.next_attempt_at OPERATOR(pg_catalog.<=) $2 "
    "    ORDER BY d.next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS first "
    "  LIMIT $4) "
    "UPDATE @store@.webhook_deliveries d SET status = 'leased', next_attempt_at = $5,"
    "  attempt_count = COALESCE(d.attempt_count, 0) OPERATOR(pg_catalog.+) 1,"
    "  failures = CASE WHEN d.status OPERATOR(pg_catalog.=) 'leased'"
    "                  THEN d.failures OPERATOR(pg_catalog.+) 1 ELSE d.failures END "
    "FROM due JOIN @store@.webhooks w ON w.id OPERATOR(pg_catalog.=) due.webhook_id "
    "WHERE d.id OPERATOR(pg_catalog.=) due.id"
    "  AND d.created_at OPERATOR(pg_catalog.=) due.created_at "
    "RETURNING d.id, d.created_at, d.webhook_id, d.tenant_id, d.event_id,"
    "  d.event_type::pg_catalog.text, d.attempt_count, d.failures, d.payload::pg_catalog.text,"
    "  w.url::pg_catalog.text, w.secret::pg_catalog.text,"
    "  COALESCE(w.status OPERATOR(pg_catalog.=) 'active', false), d.delivered_at IS NOT NULL,"
    "  CASE WHEN w.previous_secret_until OPERATOR(pg_catalog.>) $2"
    "       THEN w.previous_secret::pg_catalog.text END",
    UUIDARRAYOID, TIMESTAMPTZOID, INT8OID, INT8OID, TIMESTAMPTZOID);

/// Gives a leased delivery that is not to be sent another status.
pg::StoreQuery settle("UPDATE @store@.webhook_deliveries SET status = $3, next_attempt_at = $4,"
                      " failures = $5, error = $6 "
                      "WHERE id OPERATOR(pg_catalog.=) $1"
                      "  AND created_at OPERATOR(pg_catalog.=) $2",
                      UUIDOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, INT4OID, TEXTOID);

/// A delivery that was leased.
struct Leased {
  pg_uuid_t id;
  TimestampTz created_at;
  pg_uuid_t webhook;
  pg_uuid_t tenant;
  pg_uuid_t event;
  text *type;
  int32 attempt;
  int32 failures;
  text *body;
  text *url;
  text *secret;
  text *previous_secret; ///< nullptr where it has none, or no longer
  bool is_endpoint_active;
  bool is_delivered;
};

/// A tenant that gave deliveries.
struct Giver {
  pg_uuid_t tenant;
  int handed; ///< of those that were handed out
};
struct Givers {
  Giver *list;
  int count;
};

/// The running call.
struct Claim {
  const pg::Store *store;
  ReturnSetInfo *result;
  TimestampTz now;
  TimestampTz lease_end;
  int left;         ///< deliveries to hand out still
  int per_tenant;   ///< how many of one tenant at most
  Tenants left_out; ///< in order of their ids: these give none
  int settled;      ///< deliveries that were not handed out
};

/// Where this session's next walk begins.
pg_uuid_t next_start;
bool has_start = false;

pg_uuid_t uuid_column(uint64 row, int number) {
  bool is_null;
  return *DatumGetUUIDP(pg::result_datum(row, number, is_null));
}

text *optional_text_column(uint64 row, int number) {
  bool is_null;
  Datum value = pg::result_datum(row, number, is_null);
  return is_null ? nullptr : DatumGetTextPCopy(value);
}

text *text_column(uint64 row, int number) {
  text *value = optional_text_column(row, number);
  return value == nullptr ? cstring_to_text("") : value;
}

Datum value_column(uint64 row, int number) {
  bool is_null;
  return pg::result_datum(row, number, is_null);
}

Leased read_leased(uint64 row) {
  Leased leased = {};
  leased.id = uuid_column(row, 1);
  leased.created_at = DatumGetTimestampTz(value_column(row, 2));
  leased.webhook = uuid_column(row, 3);
  leased.tenant = uuid_column(row, 4);
  leased.event = uuid_column(row, 5);
  leased.type = text_column(row, 6);
  leased.attempt = DatumGetInt32(value_column(row, 7));
  leased.failures = DatumGetInt32(value_column(row, 8));
  leased.body = text_column(row, 9);
  leased.url = text_column(row, 10);
  leased.secret = text_column(row, 11);
  leased.is_endpoint_active = DatumGetBool(value_column(row, 12));
  leased.is_delivered = DatumGetBool(value_column(row, 13));
  leased.previous_secret = optional_text_column(row, 14);
  return leased;
}

void settle_as(Claim &claim, const Leased &leased, const char *status, TimestampTz next_attempt,
               int failures, const char *error) {
  bool is_open = next_attempt != 0;
  Datum arguments[] = {
      UUIDPGetDatum(&leased.id),   TimestampTzGetDatum(leased.created_at),
      CStringGetTextDatum(status), TimestampTzGetDatum(next_attempt),
      Int32GetDatum(failures),     error == nullptr ? Datum(0) : CStringGetTextDatum(error)};
  char nulls[] = "      ";
  nulls[3] = is_open ? ' ' : 'n';
  nulls[5] = error == nullptr ? 'n' : ' ';
  settle.run(*claim.store, arguments, nulls);
  ++claim.settled;
}

/// Nobody can sign it now: it is put off as if there had been no response.
void put_off(Claim &claim, const Leased &leased, const char *why) {
  core::DeliveryVerdict verdict =
      core::judge_delivery({0, leased.failures, {}}, pg_prng_double(&pg_global_prng_state));
  const char *error = psprintf("not sent: %s", why);
  if (verdict.outcome == core::DeliveryOutcome::retried)
    settle_as(claim, leased, "pending", claim.now + verdict.delay, leased.failures + 1, error);
  else
    settle_as(claim, leased, "dead", 0, leased.failures + 1, error);
}

void hand_out(Claim &claim, const Leased &leased, const WebhookSecrets &secrets) {
  WebhookMessage message = {leased.event, leased.id, leased.type, leased.body,
                            int64(timestamptz_to_time_t(claim.now))};
  Datum values[] = {
      UUIDPGetDatum(&leased.id),     UUIDPGetDatum(&leased.webhook),
      UUIDPGetDatum(&leased.tenant), UUIDPGetDatum(&leased.event),
      PointerGetDatum(leased.type),  Int32GetDatum(leased.attempt),
      PointerGetDatum(leased.url),   JsonbPGetDatum(webhook_headers(message, secrets)),
      PointerGetDatum(leased.body)};
  bool nulls[std::size(values)] = {};
  tuplestore_putvalues(claim.result->setResult, claim.result->setDesc, values, nulls);
  --claim.left;
}

/// Whether it was handed out.
bool handle(Claim &claim, const Leased &leased) {
  WebhookSecrets secrets;
  const char *error = nullptr;
  if (leased.is_delivered)
    settle_as(claim, leased, "delivered", 0, leased.failures, nullptr);
  else if (leased.failures >= core::most_delivery_failures)
    settle_as(claim, leased, "dead", 0, leased.failures, "no worker finished it within its lease");
  else if (!leased.is_endpoint_active)
    settle_as(claim, leased, "dead", 0, leased.failures, "the endpoint is not active");
  else if (!open_webhook_secrets(
               {leased.tenant, leased.webhook, leased.secret, leased.previous_secret}, secrets,
               error))
    put_off(claim, leased, error);
  else {
    hand_out(claim, leased, secrets);
    forget_webhook_secrets(secrets);
    return true;
  }
  return false;
}

void count_handed(Givers &givers, const pg_uuid_t &tenant) {
  for (int i = 0; i < givers.count; ++i)
    if (std::memcmp(&givers.list[i].tenant, &tenant, UUID_LEN) == 0)
      ++givers.list[i].handed;
}

/// Leases up to `each` deliveries of each of these tenants, and hands them out. Those that give
/// their first are added to `givers`. Returns how many deliveries there were.
int lease(Claim &claim, const Tenants &tenants, int each, bool is_first, Givers &givers) {
  CHECK_FOR_INTERRUPTS();
  auto *ids = static_cast<Datum *>(palloc(sizeof(Datum) * Size(tenants.count)));
  for (int i = 0; i < tenants.count; ++i)
    ids[i] = UUIDPGetDatum(&tenants.ids[i]);
  Datum arguments[] = {
      PointerGetDatum(construct_array(ids, tenants.count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
      TimestampTzGetDatum(claim.now), Int64GetDatum(each), Int64GetDatum(claim.left),
      TimestampTzGetDatum(claim.lease_end)};
  lease_due.run_by_index(*claim.store, arguments);
  int count = int(SPI_processed);
  auto *leased = static_cast<Leased *>(palloc(sizeof(Leased) * Size(count + 1)));
  for (int row = 0; row < count; ++row)
    leased[row] = read_leased(uint64(row));
  SPI_freetuptable(SPI_tuptable);
  for (int row = 0; row < count; ++row) {
    if (is_first)
      givers.list[givers.count++] = {leased[row].tenant, 0};
    if (handle(claim, leased[row]))
      count_handed(givers, leased[row].tenant);
  }
  return count;
}

bool is_finished(const Claim &claim) { return claim.left == 0 || claim.settled >= most_settled; }

/// Takes out those that are to give none.
void leave_out(const Claim &claim, Tenants &tenants) {
  const pg_uuid_t *first = claim.left_out.ids, *end = first + claim.left_out.count;
  pg_uuid_t *kept =
      std::remove_if(tenants.ids, tenants.ids + tenants.count, [&](const pg_uuid_t &tenant) {
        return std::binary_search(first, end, tenant, precedes);
      });
  tenants.count = int(kept - tenants.ids);
}

/// Once round all tenants with open deliveries, or as far as it takes: one delivery of each.
void walk_tenants(Claim &claim, int window, Givers &givers) {
  if (!has_start)
    next_start = any_open_tenant(*claim.store, window);
  has_start = true;
  const pg_uuid_t start = next_start;
  bool wrapped = false;
  while (!is_finished(claim)) {
    Tenants tenants = find_open_tenants(*claim.store, next_start, window);
    bool is_last = tenants.count < window;
    if (wrapped) // the walk ends where it began
      while (tenants.count > 0 && order_of(tenants.ids[tenants.count - 1], start) >= 0) {
        --tenants.count;
        is_last = true;
      }
    next_start = is_last ? pg_uuid_t{} : successor(tenants.ids[tenants.count - 1]);
    leave_out(claim, tenants);
    int before = givers.count;
    if (tenants.count > 0)
      (void)lease(claim, tenants, 1, true, givers);
    if (claim.left == 0) // the rest of these had no turn
      next_start = successor(std::max_element(givers.list + before, givers.list + givers.count,
                                              [](const Giver &a, const Giver &b) {
                                                return precedes(a.tenant, b.tenant);
                                              })
                                 ->tenant);
    if (is_last && (wrapped || order_of(start, pg_uuid_t{}) == 0))
      break;
    if (is_last || order_of(next_start, start) < 0)
      wrapped = true;
  }
}

/// Those of the givers that may give more, and in `each` how many every one of them may.
Tenants further_givers(const Claim &claim, const Givers &givers, int &each) {
  Tenants tenants = {static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * Size(givers.count + 1))),
                     0};
  int most_handed = 0;
  for (int i = 0; i < givers.count; ++i) {
    if (givers.list[i].handed >= claim.per_tenant)
      continue;
    tenants.ids[tenants.count++] = givers.list[i].tenant;
    most_handed = std::max(most_handed, givers.list[i].handed);
  }
  if (tenants.count > 0)
    each =
        std::min((claim.left + tenants.count - 1) / tenants.count, claim.per_tenant - most_handed);
  return tenants;
}

void run_claim(Claim &claim) {
  int window = std::max(100, 2 * claim.left);
  Givers givers = {
      static_cast<Giver *>(palloc(sizeof(Giver) * Size(2 * most_claimed + most_settled))), 0};
  walk_tenants(claim, window, givers);
  // Whoever gave one may have more; whoever gave none has no more.
  while (!is_finished(claim)) {
    int each = 0;
    Tenants tenants = further_givers(claim, givers, each);
    if (tenants.count == 0 || lease(claim, tenants, each, false, givers) == 0)
      break;
  }
}

/// The argument except_tenants, in order.
Tenants left_out_tenants(FunctionCallInfo fcinfo, int number) {
  Tenants tenants = {nullptr, 0};
  if (PG_ARGISNULL(number))
    return tenants;
  Datum *elements;
  bool *nulls;
  int count;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
                    &elements, &nulls, &count);
  tenants.ids = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * Size(count + 1)));
  for (int i = 0; i < count; ++i)
    if (!nulls[i])
      tenants.ids[tenants.count++] = *DatumGetUUIDP(elements[i]);
  std::sort(tenants.ids, tenants.ids + tenants.count, precedes);
  return tenants;
}

/// The argument max_per_tenant: null is any number.
int most_per_tenant(FunctionCallInfo fcinfo, int number) {
  int32 most = PG_ARGISNULL(number) ? most_claimed : PG_GETARG_INT32(number);
  if (most < 1)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_per_tenant must be positive")));
  return most;
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_claim_webhook_deliveries);

/// claim_webhook_deliveries(max_deliveries, lease, max_per_tenant, except_tenants): leases
/// deliveries that are due, and returns what to send. Errors: 22023 a null argument (but for the
/// last two), not 1 to 1,000 deliveries, none of each tenant, a lease that is not positive, longer
/// than a day or of months; 40001 under REPEATABLE READ, where others claimed meanwhile.
Datum brainsait_claim_webhook_deliveries(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  pg::require_argument(fcinfo, 0, "max_deliveries");
  pg::require_argument(fcinfo, 1, "lease");
  int32 most = PG_GETARG_INT32(0);
  if (most < 1 || most > most_claimed)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("max_deliveries must be between 1 and %d", most_claimed)));
  int64 length = pg::fixed_microseconds(PG_GETARG_INTERVAL_P(1), "lease");
  if (length <= 0 || length > longest_lease)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("lease must be positive, and at most a day")));
  int per_tenant = most_per_tenant(fcinfo, 2);
  Tenants left_out = left_out_tenants(fcinfo, 3);
  InitMaterializedSRF(fcinfo, 0);
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  TimestampTz now = GetCurrentTimestamp();
  Claim claim = {&store,   reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo),
                 now,      now + length,
                 most,     per_tenant,
                 left_out, 0};
  pg::OwnerSession session = pg::begin_owner_session(store);
  run_claim(claim);
  pg::end_owner_session(session);
  return Datum(0);
}
}
