#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// Where the extension lives in this database: its schema, and the role that owns the tables.
/// The schema is chosen at CREATE EXTENSION, so nothing here is a constant.
struct Store {
  Oid schema = InvalidOid;
  Oid tenants = InvalidOid; ///< the tenants table; InvalidOid where the tables were not created
  Oid owner = InvalidOid;   ///< owner of the tenants table; the store's own writes run as this role
  char quoted_schema[2 * NAMEDATALEN + 3] = {}; ///< ready to stand before a dot in query text
};

/// The store whose schema holds `function` (pass fcinfo->flinfo->fn_oid). Raises 55000 where the
/// store's tables are missing. Valid until the next catalog invalidation: take it anew at every
/// call.
const Store &store_of_function(Oid function);

/// The store in schema `schema`; errors as above.
const Store &store_in_schema(Oid schema);

/// Whether the schema is that of the store which this session worked with last.
bool is_current_store(Oid schema);

/// Grows by one whenever a schema may have been renamed: query texts that name it are made anew
/// then.
uint64 schema_generation();

/// Registers the invalidation callbacks. Called once, from _PG_init.
void init_store();

} // namespace brainsait::pg
