#pragma once

#include "core/error.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace brainsait::core {

/// Refuses bytes that are no stored state, with a whole sentence that says why; the boundary turns
/// the kind into 22P02 for text input and 22P03 for binary input.
[[noreturn]] inline void refuse_bytes(const char *why) { throw Error(ErrorKind::corrupted, why); }

/// Writes a stored format: little-endian whatever the machine, no alignment. The caller has sized
/// the buffer.
class ByteWriter {
public:
  explicit ByteWriter(std::uint8_t *at) noexcept : at_(at) {}

  void u8(std::uint8_t value) noexcept { *at_++ = value; }
  void u16(std::uint16_t value) noexcept { little_endian(value); }
  void u32(std::uint32_t value) noexcept { little_endian(value); }
  void u64(std::uint64_t value) noexcept { little_endian(value); }
  void i64(std::int64_t value) noexcept { u64(static_cast<std::uint64_t>(value)); }
  void f64(double value) noexcept { u64(std::bit_cast<std::uint64_t>(value)); }
  void bytes(std::span<const std::uint8_t> value) noexcept {
    if (!value.empty())
      std::memcpy(at_, value.data(), value.size());
    at_ += value.size();
  }
  void text(std::string_view value) noexcept {
    bytes({reinterpret_cast<const std::uint8_t *>(value.data()), value.size()});
  }
  std::uint8_t *position() const noexcept { return at_; }

private:
  template <typename Word> void little_endian(Word value) noexcept {
    for (std::size_t i = 0; i < sizeof value; ++i)
      at_[i] = static_cast<std::uint8_t>(value >> 8 * i);
    at_ += sizeof value;
  }

  std::uint8_t *at_;
};

/// Reads what ByteWriter wrote. Bytes that end too early, or go on after finish(), are refused.
class ByteReader {
public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}

  std::uint8_t u8() { return take(1)[0]; }
  std::uint16_t u16() { return little_endian<std::uint16_t>(); }
  std::uint32_t u32() { return little_endian<std::uint32_t>(); }
  std::uint64_t u64() { return little_endian<std::uint64_t>(); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  double f64() { return std::bit_cast<double>(u64()); }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > rest_.size())
      refuse_bytes("The bytes end too early.");
    auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::string_view text(std::size_t count) {
    auto taken = take(count);
    return {reinterpret_cast<const char *>(taken.data()), taken.size()};
  }
  std::size_t left() const noexcept { return rest_.size(); }
  void finish() const {
    if (!rest_.empty())
      refuse_bytes("There are bytes after the end.");
  }

private:
  template <typename Word> Word little_endian() {
    auto taken = take(sizeof(Word));
    Word value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
      value = static_cast<Word>(value | static_cast<Word>(taken[i]) << 8 * i);
    return value;
  }

  std::span<const std::uint8_t> rest_;
};

} // namespace brainsait::core
