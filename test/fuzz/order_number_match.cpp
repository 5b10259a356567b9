// Numbers: "format\nslug\nnumber". No bytes crash the matcher; what is valid for a known slug is
// also valid where the slug is not known.

#include "core/error.hpp"
#include "core/order_number.hpp"

#include <algorithm>
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
  const bool proper = std::all_of(slug.begin(), slug.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (known && proper && !unknown)
    std::abort();
  return 0;
}
