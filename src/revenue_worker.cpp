#include "revenue_worker.hpp"

namespace brainsait {

void request_fold_worker(const pg::Store &) {}
bool writers_must_fold() { return false; }

} // namespace brainsait
