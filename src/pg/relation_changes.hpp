#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// Is told of a relation whose definition changed, or of InvalidOid when any may have. Runs in the
/// middle of anything: it marks what is kept as stale, no more.
using RelationListener = void (*)(Oid relation);

/// From now on `listener` hears of every relation. PostgreSQL has ten places for such functions in
/// a backend, all extensions together, so this extension takes one. For _PG_init.
void listen_to_relations(RelationListener listener);

} // namespace brainsait::pg
