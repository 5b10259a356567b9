// The stored form of top_k_sketch: no bytes crash it, and what it accepts comes out again byte by
// byte.

#include "core/top_k.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<TopK>(data, size, [](const TopK &sketch) {
    std::pmr::unsynchronized_pool_resource memory;
    for (const auto &entry : sketch.top(&memory))
      if (entry.upper() < entry.lower())
        std::abort();
    TopK other(&memory);
    other.merge(sketch);
    try {
      other.add("another", Decimal128(1), 3);
    } catch (const Error &error) {
      if (error.kind() != ErrorKind::out_of_range && error.kind() != ErrorKind::limit_exceeded)
        std::abort();
    }
  });
}
