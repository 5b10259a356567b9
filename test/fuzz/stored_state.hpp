#pragma once

// What every stored state of an aggregate must stand: bytes are refused as corrupted or taken, what
// is taken is written back byte for byte, and it merges with itself and with nothing.

#include "core/error.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <vector>

namespace brainsait::core {

/// Calls use(state) for bytes that are taken.
template <typename State, typename Use>
int fuzz_stored_state(const std::uint8_t *data, std::size_t size, Use use) {
  std::pmr::unsynchronized_pool_resource memory;
  State state(&memory);
  try {
    state.load({data, size});
  } catch (const Error &error) {
    if (error.kind() != ErrorKind::corrupted)
      std::abort();
    return 0;
  }
  std::vector<std::uint8_t> bytes(state.flat_size());
  state.flatten(bytes.data());
  if (bytes.size() != size || (size != 0 && std::memcmp(bytes.data(), data, size) != 0))
    std::abort();
  use(state);
  State merged(&memory);
  merged.merge(state);
  bytes.resize(merged.flat_size());
  merged.flatten(bytes.data());
  if (bytes.size() != size || (size != 0 && std::memcmp(bytes.data(), data, size) != 0))
    std::abort();
  try {
    merged.merge(state);
  } catch (const Error &error) {
    if (error.kind() == ErrorKind::corrupted)
      std::abort();
  }
  return 0;
}

} // namespace brainsait::core
