#pragma once

#include <cstdint>
#include <string_view>

namespace brainsait::core {

/// Crockford's base 32: digits and upper-case letters without I, L, O and U, which people misread.
inline constexpr std::string_view crockford_alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
inline constexpr unsigned crockford_bits = 5;

constexpr bool is_crockford_digit(char c) noexcept {
  return crockford_alphabet.find(c) != std::string_view::npos;
}

/// How many base-32 digits `value` takes; 0 takes one.
constexpr unsigned crockford_length(std::uint64_t value) noexcept {
  unsigned length = 1;
  while ((value >>= crockford_bits) != 0)
    ++length;
  return length;
}

} // namespace brainsait::core
