#pragma once

#include "pg/postgres.hpp"

namespace brainsait {

/// Whether every row that this one references by foreign keys is there, which locks them; false as
/// well where PostgreSQL has to check that, by inserting the row with its triggers.
bool references_hold(Relation table, TupleTableSlot *row);

/// Has foreign keys of the store's tables checked by direct look-up where a row is inserted.
/// Installs an executor hook and registers invalidations. Called once, from _PG_init.
void init_reference_check();

} // namespace brainsait
