#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace brainsait::core {

/// Characters of base64 (RFC 4648, section 4, with padding) that `size` bytes take.
constexpr std::size_t base64_size(std::size_t size) noexcept { return (size + 2) / 3 * 4; }

/// Writes base64_size(bytes.size()) characters and returns the end of what it wrote.
char *write_base64(std::span<const std::uint8_t> bytes, char *at) noexcept;

/// How many bytes the text stands for, by its length and padding alone; nullopt for a length that
/// is none of base64's.
std::optional<std::size_t> base64_bytes(std::string_view text) noexcept;

/// Reads base64 into `bytes`, whose size is base64_bytes(text). False for any text that
/// write_base64() does not write: other characters, blanks, padding elsewhere, bits after the end.
bool read_base64(std::string_view text, std::span<std::uint8_t> bytes) noexcept;

} // namespace brainsait::core
