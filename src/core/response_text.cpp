#include "core/response_text.hpp"

#include <algorithm>
#include <cstdint>

namespace brainsait::core {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// The beginning of a character: how many bytes it takes, and what the second one may be
/// (Unicode 15, table 3-7).
struct Lead {
  int length; ///< 0: no character begins so
  std::uint8_t least_second;
  std::uint8_t greatest_second;
};

Lead lead_of(std::uint8_t byte) noexcept {
  if (byte < 0x80)
    return {byte == 0 ? 0 : 1, 0, 0};
  if (byte < 0xC2 || byte > 0xF4)
    return {0, 0, 0};
  if (byte < 0xE0)
    return {2, 0x80, 0xBF};
  if (byte < 0xF0)
    return {3, std::uint8_t(byte == 0xE0 ? 0xA0 : 0x80), std::uint8_t(byte == 0xED ? 0x9F : 0xBF)};
  return {4, std::uint8_t(byte == 0xF0 ? 0x90 : 0x80), std::uint8_t(byte == 0xF4 ? 0x8F : 0xBF)};
}

/// The bytes at the beginning of `rest`, at least one, that are one character or the part of one
/// that is replaced.
struct Piece {
  std::size_t size;
  bool is_character;
};

Piece first_piece(std::string_view rest) noexcept {
  const Lead lead = lead_of(std::uint8_t(rest[0]));
  if (lead.length == 0)
    return {1, false};
  std::size_t size = 1;
  for (; size < std::size_t(lead.length); ++size) {
    if (size == rest.size())
      return {size, false};
    const auto byte = std::uint8_t(rest[size]);
    const std::uint8_t least = size == 1 ? lead.least_second : 0x80;
    const std::uint8_t greatest = size == 1 ? lead.greatest_second : 0xBF;
    if (byte < least || byte > greatest)
      return {size, false};
  }
  return {size, true};
}

} // namespace

std::string clean_utf8(std::string_view bytes, std::size_t longest) {
  std::string text;
  text.reserve(std::min(bytes.size(), longest));
  while (!bytes.empty()) {
    const Piece piece = first_piece(bytes);
    const std::string_view added = piece.is_character ? bytes.substr(0, piece.size) : replacement;
    if (text.size() + added.size() > longest)
      break;
    text += added;
    bytes.remove_prefix(piece.size);
  }
  return text;
}

std::string clean_ascii(std::string_view bytes, std::size_t longest) {
  std::string text(bytes.substr(0, longest));
  std::ranges::replace_if(
      text, [](char byte) { return byte == 0 || std::uint8_t(byte) >= 0x80; }, '?');
  return text;
}

} // namespace brainsait::core
