#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace brainsait::core {

/// A key that signs tenant tokens.
struct TokenKey {
  static constexpr std::size_t shortest = 32; ///< as long as the hash (RFC 2104, section 3)
  static constexpr std::size_t longest = 64;  ///< one block of SHA-256

  std::uint32_t id = 0;
  std::size_t size = 0;
  std::array<std::uint8_t, longest> bytes = {};

  std::span<const std::uint8_t> secret() const noexcept { return {bytes.data(), size}; }
};

/// The keys that are live: while one is replaced by another there are two.
struct TokenKeys {
  static constexpr std::size_t most = 2;

  std::size_t count = 0;
  std::array<TokenKey, most> keys = {};

  /// The key of that id, or nullptr. The first key is the one that signs.
  const TokenKey *find(std::uint32_t id) const noexcept;
};

/// Reads a key file: one key a line, `ID HEX`, the id a decimal number from 1 to 2147483647, the
/// key 32 to 64 bytes in hexadecimal digits; empty lines and lines that begin with # are skipped.
/// Throws Error (invalid_parameter) that names the line and never quotes it: no key, more than two,
/// one id twice, or a line of another shape.
TokenKeys parse_token_keys(std::string_view text);

} // namespace brainsait::core
