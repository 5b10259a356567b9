// resolve_tenant(): from what stands in a request (slug or domain) to the tenant's id.

#include "pg/query.hpp"
#include "tenant_settings.hpp"

namespace brainsait {
namespace {

// The slug is unique and comes first; a domain counts where it names one tenant only, and what
// tenants that are gone left in theirs does not make it ambiguous (statuses as in is_admitted()).
pg::StoreQuery
    find_tenant("SELECT id, slug OPERATOR(pg_catalog.=) $1 AS by_slug FROM @store@.tenants "
                "WHERE slug OPERATOR(pg_catalog.=) $1 "
                "OR (pg_catalog.lower(domain) OPERATOR(pg_catalog.=) pg_catalog.lower($1) "
                "AND coalesce(pg_catalog.lower(status), 'active') "
                "OPERATOR(pg_catalog.<>) ALL (ARRAY['suspended', 'inactive', 'deleted'])) "
                "ORDER BY 2 DESC LIMIT 2",
                TEXTOID);

bool find(const pg::Store &store, Datum slug_or_domain, pg_uuid_t &tenant) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  find_tenant.run(store, &slug_or_domain);
  bool found = false, is_null;
  if (SPI_processed > 0) {
    bool by_slug = DatumGetBool(pg::result_datum(0, 2, is_null));
    found = by_slug || SPI_processed == 1;
    tenant = *DatumGetUUIDP(pg::result_datum(0, 1, is_null));
  }
  pg::end_owner_session(session);
  return found;
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_resolve_tenant);

/// resolve_tenant(text): the id of the tenant with that slug, else of the only active one with that
/// domain, else null; null where that tenant is not active. Tells nothing but the id.
Datum brainsait_resolve_tenant(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  const pg::Store &store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  auto *tenant = static_cast<pg_uuid_t *>(palloc(UUID_LEN));
  if (!find(store, PG_GETARG_DATUM(0), *tenant) || !tenant_settings(store, *tenant).admitted)
    PG_RETURN_NULL();
  PG_RETURN_UUID_P(tenant);
}
}
