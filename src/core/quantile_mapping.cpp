#include "core/quantile_mapping.hpp"

#include "core/error.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace brainsait::core {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

constexpr int mantissa_bits = 52;
constexpr std::uint64_t mantissa_mask = (std::uint64_t{1} << mantissa_bits) - 1;
constexpr std::uint64_t infinity_bits = std::uint64_t{0x7FF} << mantissa_bits;
constexpr std::uint64_t max_finite_bits = infinity_bits - 1;

/// An approximation of the binary logarithm of the positive double with these bits, times 2^32:
/// e + (6s^3 - 21s^2 + 50s)/35 for 2^e (1 + s). It grows with the value, and its derivative by the
/// natural logarithm is at least 10/7 (1/ln 2 = 1.443 would be the logarithm's own).
std::int64_t approximate_log2(std::uint64_t bits) noexcept {
  std::int64_t exponent = static_cast<std::int64_t>(bits >> mantissa_bits);
  std::uint64_t mantissa = bits & mantissa_mask;
  if (exponent == 0) { // subnormal
    int shift = std::countl_zero(mantissa) - (63 - mantissa_bits);
    mantissa = mantissa << shift & mantissa_mask;
    exponent = 1 - shift;
  }
  std::uint64_t s = mantissa >> (mantissa_bits - 32);
  std::uint64_t square = s * s >> 32;
  std::uint64_t factor = (std::uint64_t{50} << 32) - 21 * s + 6 * square;
  auto cubic = static_cast<std::uint64_t>(UnsignedWide{s} * factor >> 32);
  return (exponent - 1023) * (std::int64_t{1} << 32) + static_cast<std::int64_t>(cubic / 35);
}

/// 7 / (10 ln((1 + a)/(1 - a))) times 2^32, rounded up: so many buckets per unit of
/// approximate_log2() keep the ratio of a bucket's ends below (1 + a)/(1 - a).
std::int64_t density_for(double a) noexcept {
  // ln((1 + a)/(1 - a)) = 2 (a + a^3/3 + a^5/5 + ...), in units of 2^-62.
  auto base = static_cast<std::uint64_t>(std::ldexp(a, 62));
  UnsignedWide power = base, sum = base;
  for (unsigned odd = 3; power != 0; odd += 2) {
    power = (power * base >> 62) * base >> 62;
    sum += power / odd;
  }
  UnsignedWide density = (UnsignedWide{7} << 94) / (20 * sum | 1);
  // Room for what approximate_log2() rounds and for the rounding of value().
  return static_cast<std::int64_t>(density + (density >> 28) + 1);
}

} // namespace

QuantileMapping::QuantileMapping(double relative_error) : relative_error_(relative_error) {
  if (!(relative_error >= min_relative_error && relative_error <= max_relative_error))
    throw Error(ErrorKind::invalid_parameter, "the relative error must be from 0.001 to 0.5");
  density_ = density_for(relative_error);
  offset_ = 1 - position(1);
  max_finite_ = static_cast<std::int32_t>(position(max_finite_bits) + offset_);
}

std::int64_t QuantileMapping::position(std::uint64_t bits) const noexcept {
  return static_cast<std::int64_t>(Wide{approximate_log2(bits)} * density_ >> 64);
}

std::int32_t QuantileMapping::key(double value) const noexcept {
  auto bits = std::bit_cast<std::uint64_t>(value);
  bool negative = bits >> 63 != 0;
  bits &= ~(std::uint64_t{1} << 63);
  if (bits - 1 >= max_finite_bits) { // neither zero nor infinite nor NaN otherwise
    if (bits == 0)
      return 0;
    if (bits > infinity_bits)
      return max_key();
    return negative ? min_key() : max_finite_ + 1;
  }
  auto key = static_cast<std::int32_t>(position(bits) + offset_);
  return negative ? -key : key;
}

/// The bits of the least positive double whose key is at least `key`.
std::uint64_t QuantileMapping::first_bits(std::int32_t key) const noexcept {
  std::uint64_t low = 1, high = infinity_bits;
  while (low < high) {
    std::uint64_t middle = low + (high - low) / 2;
    if (position(middle) + offset_ >= key)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

double QuantileMapping::lower(std::int32_t key) const noexcept {
  if (key < 0)
    return -upper(-key);
  return key == 0 ? 0 : std::bit_cast<double>(first_bits(key));
}

double QuantileMapping::upper(std::int32_t key) const noexcept {
  if (key < 0)
    return -lower(-key);
  return key == 0 ? 0 : std::bit_cast<double>(first_bits(key + 1) - 1);
}

double QuantileMapping::value(std::int32_t key) const noexcept {
  if (key == max_key())
    return std::numeric_limits<double>::quiet_NaN();
  if (key > max_finite_)
    return std::numeric_limits<double>::infinity();
  if (key < -max_finite_)
    return -std::numeric_limits<double>::infinity();
  if (key == 0)
    return 0;
  // The harmonic mean is as far from one end as from the other, relatively.
  double from = lower(key), to = upper(key);
  return key > 0 ? from * (2 / (1 + from / to)) : to * (2 / (1 + to / from));
}

} // namespace brainsait::core
