#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// Whether a subscription of this database, enabled or not, brings rows to `table`.
bool is_subscribed(Oid table);

} // namespace brainsait::pg
