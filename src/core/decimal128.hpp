#pragma once

#include "core/error.hpp"

#include <cstdint>

namespace brainsait::core {

/// A whole number of 128 bits, kept in two words because memory contexts align to eight bytes.
/// A decimal number is one of these with a scale that its owner keeps. Arithmetic throws
/// out_of_range instead of wrapping.
class Decimal128 {
public:
  __extension__ using Wide = __int128;
  /// 10^38 - 1 is the greatest power of ten less one that fits.
  static constexpr int max_digits = 38;

  constexpr Decimal128() noexcept = default;
  constexpr explicit Decimal128(Wide value) noexcept
      : low_(static_cast<std::uint64_t>(value)), high_(static_cast<std::int64_t>(value >> 64)) {}
  static constexpr Decimal128 from_words(std::int64_t high, std::uint64_t low) noexcept {
    return Decimal128(static_cast<Wide>(high) * (Wide{1} << 64) + low);
  }

  constexpr Wide value() const noexcept {
    return static_cast<Wide>(high_) * (Wide{1} << 64) + low_;
  }
  constexpr std::int64_t high() const noexcept { return high_; }
  constexpr std::uint64_t low() const noexcept { return low_; }
  constexpr bool is_zero() const noexcept { return (high_ | static_cast<std::int64_t>(low_)) == 0; }

  friend Decimal128 operator+(Decimal128 a, Decimal128 b) {
    Wide sum = 0;
    if (__builtin_add_overflow(a.value(), b.value(), &sum))
      overflow();
    return Decimal128(sum);
  }
  friend Decimal128 operator-(Decimal128 a, Decimal128 b) {
    Wide difference = 0;
    if (__builtin_sub_overflow(a.value(), b.value(), &difference))
      overflow();
    return Decimal128(difference);
  }
  /// Times 10^digits.
  Decimal128 scaled(int digits) const {
    Wide result = value();
    for (; digits > 0 && result != 0; --digits)
      if (__builtin_mul_overflow(result, Wide{10}, &result))
        overflow();
    return Decimal128(result);
  }
  friend constexpr bool operator==(Decimal128, Decimal128) noexcept = default;
  friend constexpr bool operator<(Decimal128 a, Decimal128 b) noexcept {
    return a.value() < b.value();
  }

  [[noreturn]] static void overflow() {
    throw Error(ErrorKind::out_of_range,
                "sums of weights must have at most 38 digits, decimals included");
  }

private:
  std::uint64_t low_ = 0;
  std::int64_t high_ = 0;
};

} // namespace brainsait::core
