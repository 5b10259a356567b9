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

/// The first tenants at or after $1 with open deliveries. By index, however many deliveries there
/// are.
pg::StoreQuery next_tenants(
    "WITH RECURSIVE turn (tenant) AS ("
    "  (SELECT d.tenant_id FROM @store@.webhook_deliveries d "
    "   WHERE d.next_attempt_at IS NOT NULL AND d.tenant_id OPERATOR(pg_catalog.>=) $1 "
    "   ORDER BY d.tenant_id LIMIT 1) "
    "  UNION ALL "
    "  SELECT further.tenant_id FROM turn CROSS JOIN LATERAL ("
    "    SELECT d.tenant_id FROM @store@.webhook_deliveries d "
    "    WHERE d.next_attempt_at IS NOT NULL AND d.tenant_id OPERATOR(pg_catalog.>) turn.tenant "
    "    ORDER BY d.tenant_id LIMIT 1) AS further) "
    "SELECT tenant FROM turn LIMIT $2",
    UUIDOID, INT8OID);

/// The first and the last tenant with open deliveries.
pg::StoreQuery outermost_tenants(
    "SELECT (SELECT d.tenant_id FROM @store@.webhook_deliveries d"
    "        WHERE d.next_attempt_at IS NOT NULL ORDER BY d.tenant_id LIMIT 1),"
    "       (SELECT d.tenant_id FROM @store@.webhook_deliveries d"
    "        WHERE d.next_attempt_at IS NOT NULL ORDER BY d.tenant_id DESC LIMIT 1)");

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

struct Tenants {
  pg_uuid_t *ids;
  int count;
};

/// The running call.
struct Claim {
  const pg::Store *store;
  ReturnSetInfo *result;
  TimestampTz now;
  TimestampTz lease_end;
  int left;    ///< deliveries to hand out still
  int settled; ///< deliveries that were not
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

void handle(Claim &claim, const Leased &leased) {
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
  }
}

/// Leases up to `each` deliveries of each of these tenants, hands them out, and adds the tenants
/// that gave some to `productive`. Returns how many there were.
int lease(Claim &claim, const Tenants &tenants, int each, Tenants *productive) {
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
    if (productive != nullptr)
      productive->ids[productive->count++] = leased[row].tenant;
    handle(claim, leased[row]);
  }
  return count;
}

bool is_finished(const Claim &claim) { return claim.left == 0 || claim.settled >= most_settled; }

/// Up to `most` tenants with open deliveries, in order, from `start` on.
Tenants find_tenants(const pg::Store &store, const pg_uuid_t &start, int most) {
  Datum arguments[] = {UUIDPGetDatum(&start), Int64GetDatum(most)};
  next_tenants.run_by_index(store, arguments);
  Tenants tenants = {static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * (SPI_processed + 1))),
                     int(SPI_processed)};
  for (int i = 0; i < tenants.count; ++i)
    tenants.ids[i] = uuid_column(uint64(i), 1);
  SPI_freetuptable(SPI_tuptable);
  return tenants;
}

/// The uuid after `id`; the first one after the last.
pg_uuid_t successor(pg_uuid_t id) {
  for (int i = UUID_LEN - 1; i >= 0; --i)
    if (++id.data[i] != 0)
      break;
  return id;
}

int order_of(const pg_uuid_t &a, const pg_uuid_t &b) { return std::memcmp(&a, &b, sizeof a); }

using Number = unsigned __int128;

Number number_of(const pg_uuid_t &id) {
  Number number = 0;
  for (unsigned char byte : id.data)
    number = number << 8 | byte;
  return number;
}

pg_uuid_t uuid_of(Number number) {
  pg_uuid_t id;
  for (int i = UUID_LEN - 1; i >= 0; --i, number >>= 8)
    id.data[i] = static_cast<unsigned char>(number);
  return id;
}

/// A tenant with open deliveries by chance: of the next ones after a place between the first and
/// the last, so that each has the same chance where they are few, and where their ids are spread
/// evenly. Where there is none, any id.
pg_uuid_t any_tenant(const pg::Store &store, int window) {
  outermost_tenants.run_by_index(store, nullptr);
  bool none;
  Datum first = pg::result_datum(0, 1, none);
  if (none)
    return {};
  Number low = number_of(*DatumGetUUIDP(first)), span = number_of(uuid_column(0, 2)) - low;
  Number chance =
      Number(pg_prng_uint64(&pg_global_prng_state)) << 64 | pg_prng_uint64(&pg_global_prng_state);
  pg_uuid_t place = uuid_of(low + (span + 1 == 0 ? chance : chance % (span + 1)));
  Tenants after = find_tenants(store, place, window);
  Tenants before = find_tenants(store, pg_uuid_t{}, window);
  while (before.count > 0 && order_of(before.ids[before.count - 1], place) >= 0)
    --before.count;
  int choices = std::min(after.count + before.count, window);
  if (choices == 0)
    return place;
  auto choice = int(pg_prng_uint64_range(&pg_global_prng_state, 0, uint64(choices - 1)));
  return choice < after.count ? after.ids[choice] : before.ids[choice - after.count];
}

/// Once round all tenants with open deliveries, or as far as it takes: one delivery of each.
void walk_tenants(Claim &claim, int window, Tenants &productive) {
  if (!has_start)
    next_start = any_tenant(*claim.store, window);
  has_start = true;
  const pg_uuid_t start = next_start;
  bool wrapped = false;
  while (!is_finished(claim)) {
    Tenants tenants = find_tenants(*claim.store, next_start, window);
    bool is_last = tenants.count < window;
    if (wrapped) // the walk ends where it began
      while (tenants.count > 0 && order_of(tenants.ids[tenants.count - 1], start) >= 0) {
        --tenants.count;
        is_last = true;
      }
    next_start = is_last ? pg_uuid_t{} : successor(tenants.ids[tenants.count - 1]);
    int before = productive.count;
    if (tenants.count > 0)
      (void)lease(claim, tenants, 1, &productive);
    if (claim.left == 0) // the rest of these had no turn
      next_start = successor(*std::max_element(
          productive.ids + before, productive.ids + productive.count,
          [](const pg_uuid_t &a, const pg_uuid_t &b) { return order_of(a, b) < 0; }));
    if (is_last && (wrapped || order_of(start, pg_uuid_t{}) == 0))
      break;
    if (is_last || order_of(next_start, start) < 0)
      wrapped = true;
  }
}

void run_claim(Claim &claim) {
  int window = std::max(100, 2 * claim.left);
  Tenants productive = {
      static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * Size(2 * most_claimed + most_settled))),
      0};
  walk_tenants(claim, window, productive);
  // Whoever gave one may have more; whoever gave none has no more.
  while (!is_finished(claim) && productive.count > 0) {
    int each = (claim.left + productive.count - 1) / productive.count;
    if (lease(claim, productive, each, nullptr) == 0)
      break;
  }
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_claim_webhook_deliveries);

/// claim_webhook_deliveries(max_deliveries, lease): leases deliveries that are due, and returns
/// what to send. Errors: 22023 a null argument, not 1 to 1,000 deliveries, a lease that is not
/// positive, longer than a day or of months; 40001 under REPEATABLE READ, where others claimed
/// meanwhile.
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
  InitMaterializedSRF(fcinfo, 0);
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  TimestampTz now = GetCurrentTimestamp();
  Claim claim = {
      &store, reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo), now, now + length, most, 0};
  pg::OwnerSession session = pg::begin_owner_session(store);
  run_claim(claim);
  pg::end_owner_session(session);
  return Datum(0);
}
}
