#include "core/base64.hpp"

#include <array>

namespace brainsait::core {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values = {};
  values.fill(no_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr std::array<std::uint8_t, 256> value_of = make_values();

} // namespace

char *write_base64(std::span<const std::uint8_t> bytes, char *at) noexcept {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      *at++ = j <= count ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
  }
  return at;
}

std::optional<std::size_t> base64_bytes(std::string_view text) noexcept {
  if (text.size() % 4 != 0)
    return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  return text.size() / 4 * 3 - padding;
}

bool read_base64(std::string_view text, std::span<std::uint8_t> bytes) noexcept {
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t count = bytes.size() - written < 3 ? bytes.size() - written : 3;
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char character = text[i + j];
      const std::uint8_t value = value_of[static_cast<std::uint8_t>(character)];
      if (j <= count ? value == no_digit : character != '=')
        return false;
      bits = bits << 6 | (value & 63U);
    }
    // What the bytes do not take of the last characters' bits is zero.
    if ((bits & ((1U << 8 * (3 - count)) - 1)) != 0)
      return false;
    for (std::size_t j = 0; j < count; ++j)
      bytes[written++] = static_cast<std::uint8_t>(bits >> (16 - 8 * j));
  }
  return true;
}

} // namespace brainsait::core
