#pragma once

#include "pg/postgres.hpp"

namespace brainsait {

/// The tenant of the running transaction, or nullptr where none is set; parallel workers see their
/// leader's. Every policy and default of the store asks this, through current_tenant().
const pg_uuid_t *current_tenant();

/// Defines the transport parameter and registers the transaction callbacks.
void init_tenant_context();

} // namespace brainsait
