#pragma once

#include "pg/postgres.hpp"

namespace brainsait {

/// What uuid_v7() returns: RFC 9562 version 7, strictly increasing within the backend.
pg_uuid_t new_uuid_v7();

} // namespace brainsait
