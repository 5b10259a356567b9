#pragma once

#include "pg/store.hpp"
#include "pg/time_zone.hpp"

namespace brainsait {

/// What the store knows of one tenant, read from its row in tenants and kept per backend.
struct TenantSettings {
  pg_uuid_t id; // the hash key: stays first
  bool exists;
  bool admitted;                   ///< neither suspended nor inactive nor deleted
  const char *slug;                ///< never null where the tenant exists
  const char *time_zone;           ///< settings->>'timezone', default "UTC"
  const char *order_number_format; ///< settings->>'order_number_format', or nullptr
  const char *order_number_reset;  ///< settings->>'order_number_reset', default "never"
};

/// The tenant's settings, from the cache or, past row security, from its row as committed now. An
/// unknown tenant has `exists` false. Valid until the next command or catalog invalidation.
const TenantSettings &tenant_settings(const pg::Store &store, const pg_uuid_t &tenant);

/// The zone in which the tenant's days turn. Raises 22023 where the stored name is no zone (any
/// more).
pg_tz *tenant_time_zone(const TenantSettings &tenant);

/// Grows by one whenever any tenant's row may have changed.
uint64 tenant_settings_generation();

void init_tenant_settings();

} // namespace brainsait
