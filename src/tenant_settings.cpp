#include "tenant_settings.hpp"

#include "pg/query.hpp"

extern "C" {
#include "utils/hsearch.h"
}

namespace brainsait {
namespace {

// Enough for every tenant that a backend serves between two changes of tenants, and a bound on
// memory.
constexpr long cache_limit = 20'000;

MemoryContext cache_context = nullptr;
HTAB *cache = nullptr;
Oid cached_tenants = InvalidOid;
uint64 generation = 1;

pg::StoreQuery read_tenant(
    "SELECT slug, pg_catalog.lower(status), settings OPERATOR(pg_catalog.->>) 'timezone', "
    "settings OPERATOR(pg_catalog.->>) 'order_number_format', settings OPERATOR(pg_catalog.->>) "
    "'order_number_reset' "
    "FROM @store@.tenants WHERE id OPERATOR(pg_catalog.=) $1",
    UUIDOID);

// Only marks: freeing here could pull an entry from under a caller in the middle of using it.
void on_relation_change(Datum, Oid relation) {
  if (relation == InvalidOid || relation == cached_tenants)
    ++generation;
}

HTAB *valid_cache(Oid tenants) {
  static uint64 cache_generation = 0;
  if (cache != nullptr && cache_generation == generation && cached_tenants == tenants &&
      hash_get_num_entries(cache) < cache_limit)
    return cache;

  if (cache_context == nullptr)
    cache_context =
        AllocSetContextCreate(TopMemoryContext, "brainsait tenant settings", ALLOCSET_SMALL_SIZES);
  cache = nullptr;
  MemoryContextReset(cache_context);
  HASHCTL control = {};
  control.keysize = sizeof(pg_uuid_t);
  control.entrysize = sizeof(TenantSettings);
  control.hcxt = cache_context;
  cache =
      hash_create("brainsait tenant settings", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  cache_generation = generation;
  cached_tenants = tenants;
  return cache;
}

bool is_admitted(const char *status) {
  return std::strcmp(status, "suspended") != 0 && std::strcmp(status, "inactive") != 0 &&
         std::strcmp(status, "deleted") != 0;
}

/// Column `number` of the result's only row in `context`, or `fallback` where it is null.
const char *text_column(int number, MemoryContext context, const char *fallback) {
  char *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number);
  return value == nullptr ? fallback : MemoryContextStrdup(context, value);
}

TenantSettings read_settings(const pg::Store &store, const pg_uuid_t &tenant,
                             MemoryContext context) {
  TenantSettings settings = {};
  settings.id = tenant;
  pg::OwnerSession session = pg::begin_owner_session(store);
  Datum arguments[] = {UUIDPGetDatum(&tenant)};
  read_tenant.run(store, arguments, nullptr, 1);
  if (SPI_processed == 1) {
    settings.exists = true;
    settings.slug = text_column(1, context, "");
    settings.admitted = is_admitted(text_column(2, CurrentMemoryContext, "active"));
    settings.time_zone = text_column(3, context, "UTC");
    settings.order_number_format = text_column(4, context, nullptr);
    settings.order_number_reset = text_column(5, context, "never");
  }
  pg::end_owner_session(session);
  return settings;
}

} // namespace

const TenantSettings &tenant_settings(const pg::Store &store, const pg_uuid_t &tenant) {
  HTAB *table = valid_cache(store.tenants);
  if (void *found = hash_search(table, &tenant, HASH_FIND, nullptr))
    return *static_cast<TenantSettings *>(found);

  // Read again while rows change underneath: what is kept must be from after the last invalidation.
  TenantSettings settings;
  uint64 read_at;
  do {
    table = valid_cache(store.tenants);
    read_at = generation;
    settings = read_settings(store, tenant, cache_context);
  } while (read_at != generation);
  auto *entry = static_cast<TenantSettings *>(hash_search(table, &tenant, HASH_ENTER, nullptr));
  *entry = settings;
  return *entry;
}

pg_tz *tenant_time_zone(const TenantSettings &tenant) {
  pg_tz *zone = pg::named_time_zone(tenant.time_zone);
  if (zone == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("time zone \"%s\" in the tenant's settings is not known", tenant.time_zone),
             errhint("Set settings.timezone to a full name from pg_timezone_names.")));
  return zone;
}

uint64 tenant_settings_generation() { return generation; }

void init_tenant_settings() { CacheRegisterRelcacheCallback(on_relation_change, Datum(0)); }

} // namespace brainsait
