#pragma once

#include "pg/store.hpp"

namespace brainsait {

void request_fold_worker(const pg::Store &store);
bool writers_must_fold();

} // namespace brainsait
