// Which tenants have open deliveries, found by the index that leads with the tenant, however many
// deliveries there are.

#include "webhook_tenants.hpp"

#include "pg/query.hpp"

extern "C" {
#include "common/pg_prng.h"
}

#include <algorithm>

namespace brainsait {
namespace {

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

pg_uuid_t uuid_column(uint64 row, int number) {
  bool is_null;
  return *DatumGetUUIDP(pg::result_datum(row, number, is_null));
}

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

} // namespace

pg_uuid_t successor(pg_uuid_t id) {
  for (int i = UUID_LEN - 1; i >= 0; --i)
    if (++id.data[i] != 0)
      break;
  return id;
}

Tenants find_open_tenants(const pg::Store &store, const pg_uuid_t &start, int most) {
  Datum arguments[] = {UUIDPGetDatum(&start), Int64GetDatum(most)};
  next_tenants.run_by_index(store, arguments);
  Tenants tenants = {static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * (SPI_processed + 1))),
                     int(SPI_processed)};
  for (int i = 0; i < tenants.count; ++i)
    tenants.ids[i] = uuid_column(uint64(i), 1);
  SPI_freetuptable(SPI_tuptable);
  return tenants;
}

pg_uuid_t any_open_tenant(const pg::Store &store, int window) {
  outermost_tenants.run_by_index(store, nullptr);
  bool none;
  Datum first = pg::result_datum(0, 1, none);
  if (none)
    return {};
  Number low = number_of(*DatumGetUUIDP(first)), span = number_of(uuid_column(0, 2)) - low;
  Number chance =
      Number(pg_prng_uint64(&pg_global_prng_state)) << 64 | pg_prng_uint64(&pg_global_prng_state);
  pg_uuid_t place = uuid_of(low + (span + 1 == 0 ? chance : chance % (span + 1)));
  Tenants after = find_open_tenants(store, place, window);
  Tenants before = find_open_tenants(store, pg_uuid_t{}, window);
  while (before.count > 0 && order_of(before.ids[before.count - 1], place) >= 0)
    --before.count;
  int choices = std::min(after.count + before.count, window);
  if (choices == 0)
    return place;
  auto choice = int(pg_prng_uint64_range(&pg_global_prng_state, 0, uint64(choices - 1)));
  return choice < after.count ? after.ids[choice] : before.ids[choice - after.count];
}

} // namespace brainsait
