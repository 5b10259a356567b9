#pragma once

#include "core/bytes.hpp"

namespace brainsait::core {

// Unsigned numbers in groups of seven bits, least significant first, the high bit of each byte
// telling that another follows (LEB128). Only the shortest form is read, so each number has one.

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7)
    ++size;
  return size;
}

inline void write_varint(ByteWriter &writer, std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7)
    writer.u8(static_cast<std::uint8_t>(value | 0x80));
  writer.u8(static_cast<std::uint8_t>(value));
}

inline std::uint64_t read_varint(ByteReader &reader) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    std::uint8_t byte = reader.u8();
    if (shift == 63 && byte > 1)
      refuse_bytes("A number has more than 64 bits.");
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0)
        refuse_bytes("A number is longer than it has to be.");
      return value;
    }
  }
}

} // namespace brainsait::core
