#pragma once

namespace brainsait {

/// Registers the invalidation of what check_columns() keeps. Called once, from _PG_init.
void init_row_checks();

} // namespace brainsait
