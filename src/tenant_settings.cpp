#include "tenant_settings.hpp"

#include "pg/query.hpp"
#include "pg/relation_changes.hpp"
#include "pg/uuid_cache.hpp"

namespace brainsait {
namespace {

// Enough for every tenant that a backend serves between two changes of tenants, and a bound on
// memory.
constexpr long cache_limit = 20'000;

pg::UuidCache<TenantSettings> cache("brainsait tenant settings", cache_limit);

pg::StoreQuery read_tenant(
    "SELECT slug, pg_catalog.lower(status), settings OPERATOR(pg_catalog.->>) 'timezone', "
    "settings OPERATOR(pg_catalog.->>) 'order_number_format', settings OPERATOR(pg_catalog.->>) "
    "'order_number_reset' "
    "FROM @store@.tenants WHERE id OPERATOR(pg_catalog.=) $1",
    UUIDOID);

void on_relation_change(Oid relation) { cache.on_relation_change(relation); }

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
  return cache.find_or_read(store.tenants, tenant, [&](MemoryContext context) {
    return read_settings(store, tenant, context);
  });
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

uint64 tenant_settings_generation() { return cache.generation(); }

void init_tenant_settings() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait
