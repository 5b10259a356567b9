// Stored states of sparkline().

#include "core/error.hpp"
#include "core/sparkline.hpp"

#include <cstdlib>
#include <cstring>

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::pmr::memory_resource *memory = std::pmr::new_delete_resource();
  Sparkline line(memory);
  try {
    line.load({data, size});
  } catch (const Error &error) {
    if (error.kind() != ErrorKind::corrupted)
      std::abort();
    return 0;
  }
  std::vector<std::uint8_t> bytes(line.flat_size());
  line.flatten(bytes.data());
  if (bytes.size() != size || std::memcmp(bytes.data(), data, size) != 0)
    std::abort();
  if (line.draw(memory).size() > 3 * line.size())
    std::abort();
  return 0;
}
