// The stored form of quantile_sketch: no bytes crash it, and what it accepts comes out again byte
// by byte.

#include "core/quantile_sketch.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<QuantileSketch>(data, size, [](const QuantileSketch &sketch) {
    for (double fraction : {0.0, 0.25, 0.5, 1.0})
      if (sketch.percentile(fraction).has_value() != (sketch.count() > 0))
        std::abort();
    std::pmr::unsynchronized_pool_resource memory;
    QuantileSketch other(&memory);
    other.merge(sketch);
    other.subtract(sketch);
    if (other.count() != 0)
      std::abort();
  });
}
