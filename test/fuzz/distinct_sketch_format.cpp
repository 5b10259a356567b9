// The stored form of distinct_sketch: no bytes crash it, and what it accepts comes out again byte
// by byte.

#include "core/distinct_sketch.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<DistinctSketch>(data, size, [](const DistinctSketch &sketch) {
    if (sketch.count() < 0)
      std::abort();
  });
}
