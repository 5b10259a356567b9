#pragma once

#include "core/order_number_template.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace brainsait::core {

/// What the tokens of one number stand for. `code` is what CodeEncoder::encode gave; fields that
/// the format does not name are not looked at.
struct OrderNumberFields {
  int year = 0; ///< 1 to 9999
  int month = 0;
  int day = 0;
  int day_of_year = 0;
  std::string_view slug;
  std::string_view code;
  std::int64_t sequence = 0; ///< from 1
};

struct OrderNumber {
  std::array<char, max_order_number_length> characters{};
  std::uint8_t length = 0;
  std::string_view view() const noexcept { return {characters.data(), length}; }
};
static_assert(std::is_trivially_destructible_v<OrderNumber>);

/// The number; the slug's ASCII letters in upper case. Throws limit_exceeded over 50 characters.
OrderNumber render_order_number(const OrderNumberTemplate &format, const OrderNumberFields &fields);

/// Whether `number` could be a number of this format: every literal character in its place; dates
/// that exist and agree with one another; a code of the alphabet with at least the token's width; a
/// positive sequence with at least the token's digits and no zero in front beyond them; the slug,
/// or, where it is not known, the same text of a slug's shape at every {TENANT}, in upper case; the
/// right check character. Any bytes may be asked about.
///
/// Only {CODE}, {SEQ} and {TENANT} vary in length, and the number's own length ties the three
/// together: at most 12 * 19 combinations, each one pass over at most 50 characters.
bool order_number_matches(const OrderNumberTemplate &format, std::string_view number,
                          std::optional<std::string_view> slug) noexcept;

} // namespace brainsait::core
