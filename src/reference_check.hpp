#pragma once

namespace brainsait {

/// Has foreign keys of the store's tables checked by direct look-up where a row is inserted.
/// Installs an executor hook and registers invalidations. Called once, from _PG_init.
void init_reference_check();

} // namespace brainsait
