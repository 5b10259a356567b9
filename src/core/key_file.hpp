#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace brainsait::core {

/// A key of a key file.
struct FileKey {
  static constexpr std::size_t longest = 64;

  std::uint32_t id = 0;
  std::size_t size = 0;
  std::array<std::uint8_t, longest> bytes = {};

  std::span<const std::uint8_t> secret() const noexcept { return {bytes.data(), size}; }
};

/// The keys of a key file, in its order; the first is the one that signs or encrypts. Keys have
/// `shortest_key` to `longest_key` bytes.
template <std::size_t shortest_key, std::size_t longest_key, std::size_t most_keys> struct KeySet {
  static_assert(shortest_key > 0 && shortest_key <= longest_key && longest_key <= FileKey::longest);
  static constexpr std::size_t shortest = shortest_key;
  static constexpr std::size_t longest = longest_key;
  static constexpr std::size_t most = most_keys;

  std::size_t count = 0;
  std::array<FileKey, most> keys = {};

  /// The key of that id, or nullptr.
  const FileKey *find(std::uint32_t id) const noexcept {
    for (std::size_t i = 0; i < count; ++i)
      if (keys[i].id == id)
        return &keys[i];
    return nullptr;
  }
};

/// Keys that sign tenant tokens: as long as the hash (RFC 2104, section 3) to one block of
/// SHA-256, and two while one is replaced by another.
using TokenKeys = KeySet<32, 64, 2>;
/// Keys of AES-256 that encrypt credentials: the newest, and those that still have to open what
/// they encrypted.
using CredentialKeys = KeySet<32, 32, 16>;

/// Reads a key file: one key a line, `ID HEX`, the id a decimal number from 1 to 2147483647, the
/// key in hexadecimal digits; empty lines and lines that begin with # are skipped. Returns how many
/// keys it put into `keys`, each of `shortest` to `longest` bytes. Throws Error (invalid_parameter)
/// that names the line and never quotes it: no key, more than there is room for, one id twice, or a
/// line of another shape.
std::size_t parse_key_lines(std::string_view text, std::size_t shortest, std::size_t longest,
                            std::span<FileKey> keys);

/// The same into an empty set of keys, whose count stays 0 where it throws.
template <typename Keys> void parse_key_file(std::string_view text, Keys &found) {
  found.count = parse_key_lines(text, Keys::shortest, Keys::longest, found.keys);
}

} // namespace brainsait::core
