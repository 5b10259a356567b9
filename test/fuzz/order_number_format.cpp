// Formats: any text is either refused with invalid_parameter or gives a format whose every number
// has at most 50 characters and is valid by it.

#include "core/error.hpp"
#include "core/order_number.hpp"
#include "core/order_number_code.hpp"

#include <cstdlib>
#include <string>

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  OrderNumberTemplate format;
  try {
    format = parse_order_number_template(text);
  } catch (const Error &error) {
    if (error.kind() != ErrorKind::invalid_parameter || std::string_view(error.what()).size() > 200)
      std::abort();
    return 0;
  }
  for (const auto reset :
       {OrderNumberReset::year, OrderNumberReset::month, OrderNumberReset::day}) {
    try {
      require_order_number_reset(format, reset);
    } catch (const Error &) {
    }
  }

  std::string slug = "z";
  try {
    while (true) {
      require_order_number_fits(format, slug.size());
      if (format.tenant_count == 0)
        break;
      slug += "9_z-a"[slug.size() % 5];
    }
  } catch (const Error &) {
    slug.pop_back();
    slug.back() = 'q'; // a slug ends in a letter or digit
  }

  static const CodeEncoder encoder(CodeKey{1, 2, 3});
  for (const bool largest : {false, true}) {
    const CodeText code =
        encoder.encode(largest ? code_index_end - 1 : 0, format.has_code() ? format.code_width : 1);
    OrderNumberFields fields;
    fields.year = largest ? 2024 : 1;
    fields.month = largest ? 12 : 1;
    fields.day = largest ? 31 : 1;
    fields.day_of_year = largest ? 366 : 1;
    fields.slug = slug;
    fields.code = code.view();
    fields.sequence = largest ? INT64_MAX : 1;
    const OrderNumber number = render_order_number(format, fields); // must not throw
    if (!order_number_matches(format, number.view(), slug) ||
        !order_number_matches(format, number.view(), std::nullopt))
      std::abort();
  }
  return 0;
}
