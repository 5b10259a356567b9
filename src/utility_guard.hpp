#pragma once

namespace brainsait {

/// Defines brainsait.guard, and where the library is preloaded puts the guard in place.
void init_utility_guard();

} // namespace brainsait
