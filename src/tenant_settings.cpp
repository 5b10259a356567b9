#include "tenant_settings.hpp"

#include "pg/query.hpp"
#include "pg/relation_changes.hpp"
#include "pg/row_lookup.hpp"
#include "pg/uuid_cache.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
}

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

TenantSettings query_settings(const pg::Store &store, const pg_uuid_t &tenant,
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

/// settings ->> key in `context`, or `fallback` where it is null.
const char *setting(Datum settings, bool is_null, const char *key, MemoryContext context,
                    const char *fallback) {
  if (is_null)
    return fallback;
  LOCAL_FCINFO(call, 2);
  InitFunctionCallInfoData(*call, nullptr, 2, InvalidOid, nullptr, nullptr);
  call->args[0] = {settings, false};
  call->args[1] = {CStringGetTextDatum(key), false};
  Datum found = jsonb_object_field_text(call);
  return call->isnull ? fallback : MemoryContextStrdup(context, TextDatumGetCString(found));
}

/// The same as the query, without one.
TenantSettings settings_of_row(const pg::RowLookup &found, const pg_uuid_t &tenant,
                               MemoryContext context) {
  TenantSettings settings = {};
  settings.id = tenant;
  settings.exists = true;
  bool is_null;
  Datum slug = found.value("slug", is_null);
  settings.slug = is_null ? "" : MemoryContextStrdup(context, TextDatumGetCString(slug));
  Datum status = found.value("status", is_null);
  settings.admitted = is_null || is_admitted(TextDatumGetCString(DirectFunctionCall1Coll(
                                     lower, found.collation("status"), status)));
  Datum json = found.value("settings", is_null);
  settings.time_zone = setting(json, is_null, "timezone", context, "UTC");
  settings.order_number_format = setting(json, is_null, "order_number_format", context, nullptr);
  settings.order_number_reset = setting(json, is_null, "order_number_reset", context, "never");
  return settings;
}

TenantSettings read_settings(const pg::Store &store, const pg_uuid_t &tenant,
                             MemoryContext context) {
  pg::RowLookup lookup;
  switch (lookup.open(store, store.tenants, tenant)) {
  case pg::RowLookup::Outcome::unknown:
    return query_settings(store, tenant, context);
  case pg::RowLookup::Outcome::missing: {
    TenantSettings settings = {};
    settings.id = tenant;
    return settings;
  }
  case pg::RowLookup::Outcome::found:
    break;
  }
  bool usual = lookup.has("slug", VARCHAROID) && lookup.has("status", VARCHAROID) &&
               lookup.has("settings", JSONBOID);
  TenantSettings settings = {};
  if (usual)
    settings = settings_of_row(lookup, tenant, context);
  lookup.close();
  return usual ? settings : query_settings(store, tenant, context);
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
