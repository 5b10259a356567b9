#include "core/check_character.hpp"

namespace brainsait::core {
namespace {

constexpr unsigned modulus = 36;

/// 0 to 35, or -1 for what is neither letter nor digit.
constexpr int value_of(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'Z')
    return c - 'A' + 10;
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 10;
  return -1;
}

} // namespace

char check_character(std::string_view text) noexcept {
  unsigned product = modulus;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0)
      continue;
    unsigned sum = (product + static_cast<unsigned>(value)) % modulus;
    if (sum == 0)
      sum = modulus;
    product = sum * 2 % (modulus + 1);
  }
  // The character that makes product + value = 1 (mod 36).
  return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(modulus + 1 - product) % modulus];
}

} // namespace brainsait::core
