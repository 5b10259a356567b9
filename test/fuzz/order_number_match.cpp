// Numbers: "format\nslug\nnumber". No bytes crash the matcher; what is valid for a known slug is
// also valid where the slug is not known.

#include "core/error.hpp"
#include "core/order_number.hpp"

#include <cstdlib>

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char *>(data), size);
  const std::size_t first = input.find('\n');
  if (first == std::string_view::npos)
    return 0;
  const std::size_t second = input.find('\n', first + 1);
  if (second == std::string_view::npos)
    return 0;
  const std::string_view slug = input.substr(first + 1, second - first - 1);
  const std::string_view number = input.substr(second + 1);
  OrderNumberTemplate format;
  try {
    format = parse_order_number_template(input.substr(0, first));
  } catch (const Error &) {
    return 0;
  }
  const bool unknown = order_number_matches(format, number, std::nullopt);
  const bool known = order_number_matches(format, number, slug);
  bool proper = true;
  bool after_word = false;
  for (const char c : slug) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    proper = proper && (word || (after_word && (c == '-' || c == '_')));
    after_word = word;
  }
  proper = proper && after_word;
  if (known && proper && !unknown)
    std::abort();
  return 0;
}
