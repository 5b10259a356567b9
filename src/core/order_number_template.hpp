#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace brainsait::core {

/// What orders.number, a varchar(50), holds.
inline constexpr std::size_t max_order_number_length = 50;

enum class OrderNumberPartKind : std::uint8_t {
  literal,
  year,        ///< {YYYY}
  short_year,  ///< {YY}
  month,       ///< {MM}
  day,         ///< {DD}
  day_of_year, ///< {DDD}
  code,        ///< {CODE:n}
  sequence,    ///< {SEQ:n}
  tenant,      ///< {TENANT}
  check,       ///< {CHECK}
};

/// One token of a format, or one character of its literal text.
struct OrderNumberPart {
  OrderNumberPartKind kind = OrderNumberPartKind::literal;
  std::uint8_t width = 0; ///< of code and sequence: the least number of characters
  char character = 0;     ///< of a literal
};

/// When a tenant's sequence starts again at 1.
enum class OrderNumberReset : std::uint8_t { never, year, month, day };

/// A parsed format: literal characters and the tokens
///   {YYYY} {YY} {MM} {DD} {DDD}  {CODE} {CODE:1..12}  {SEQ} {SEQ:1..18}  {TENANT}  {CHECK}
/// Plain data, at most one part per character of the longest number, so that it may be kept
/// anywhere.
struct OrderNumberTemplate {
  std::array<OrderNumberPart, max_order_number_length> parts{};
  std::uint8_t part_count = 0;
  std::uint8_t tenant_count = 0;   ///< how often {TENANT} stands in it
  std::uint8_t code_width = 0;     ///< 0 where there is no {CODE}
  std::uint8_t sequence_width = 0; ///< 0 where there is no {SEQ}
  std::uint8_t other_length = 0;   ///< characters of everything but {TENANT}, {CODE} and {SEQ}

  bool has_code() const noexcept { return code_width != 0; }
  bool has_sequence() const noexcept { return sequence_width != 0; }
  const OrderNumberPart *begin() const noexcept { return parts.data(); }
  const OrderNumberPart *end() const noexcept { return parts.data() + part_count; }
};
static_assert(std::is_trivially_copyable_v<OrderNumberTemplate> &&
              std::is_trivially_destructible_v<OrderNumberTemplate>);

/// Parses a format. Throws invalid_parameter, naming the offending token, for: text that is not
/// printable ASCII; braces that do not pair; unknown tokens and widths; neither {SEQ} nor {CODE};
/// {SEQ} without {TENANT} (numbers are unique across tenants); {SEQ}, {CODE} or {CHECK} twice;
/// {CHECK} with neither letter nor digit before it; a longest number over 50 characters, a slug
/// counting 1.
OrderNumberTemplate parse_order_number_template(std::string_view format);

/// Throws invalid_parameter where the longest number of a tenant with a slug of `slug_length`
/// characters has over 50: {SEQ} counts 19, the digits of the largest bigint, and {CODE} 12.
void require_order_number_fits(const OrderNumberTemplate &format, std::size_t slug_length);

/// Parses never, year, month or day. Throws invalid_parameter for anything else.
OrderNumberReset parse_order_number_reset(std::string_view reset);

/// Throws invalid_parameter where numbers would repeat after a reset, naming the token that is
/// missing: every reset needs a year; month needs {MM} or {DDD}, day needs {MM} and {DD}, or {DDD}.
void require_order_number_reset(const OrderNumberTemplate &format, OrderNumberReset reset);

} // namespace brainsait::core
