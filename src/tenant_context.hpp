#pragma once

#include "pg/store.hpp"

namespace brainsait {

/// The tenant of the running transaction, or nullptr where none is set; parallel workers see their
/// leader's. Every policy and default of the store asks this, through current_tenant().
const pg_uuid_t *current_tenant();

/// Makes `tenant` the transaction's own until its end, and seals it; the caller has seen to a
/// transaction block. Raises 42501 where another tenant is set, 25000 in a parallel query, 28000
/// where the tenant is unknown or not active.
void set_tenant(const pg::Store &store, const pg_uuid_t &tenant);

/// Defines the transport parameter and registers the transaction callbacks.
void init_tenant_context();

} // namespace brainsait
