// Key files from any bytes: what is taken for one has keys within their bounds, and what is refused
// is never quoted.

#include "core/error.hpp"
#include "core/key_file.hpp"

#include <cstdlib>
#include <string_view>

using namespace brainsait::core;

namespace {

template <typename Keys> void try_key_file(std::string_view text) {
  Keys keys;
  try {
    parse_key_file(text, keys);
  } catch (const Error &error) {
    if (error.kind() != ErrorKind::invalid_parameter ||
        std::string_view(error.what()).size() > 100 || keys.count != 0)
      std::abort();
    return;
  }
  if (keys.count < 1 || keys.count > Keys::most)
    std::abort();
  for (std::size_t i = 0; i < keys.count; ++i)
    if (keys.find(keys.keys[i].id) != &keys.keys[i] || keys.keys[i].size < Keys::shortest ||
        keys.keys[i].size > Keys::longest)
      std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text = {reinterpret_cast<const char *>(data), size};
  try_key_file<TokenKeys>(text);
  try_key_file<CredentialKeys>(text);
  return 0;
}
