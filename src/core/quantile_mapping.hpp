#pragma once

#include <cstdint>
#include <limits>

namespace brainsait::core {

/// Numbers every double by a bucket such that one value stands for all of a bucket within a
/// relative error: the index of DDSketch (Masson, Rim and Lee, "DDSketch: A Fast and
/// Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", PVLDB 12(12), 2019) with the
/// logarithm replaced by the exponent and a cubic of the mantissa, as the paper's section 4
/// proposes. All in integers, so every machine numbers alike, and a sketch made elsewhere can be
/// subtracted.
///
/// Keys ascend with the values: -infinity, negative buckets, 0 for zeros of either sign, positive
/// buckets from 1 on, infinity, NaN (which PostgreSQL sorts last).
class QuantileMapping {
public:
  static constexpr double min_relative_error = 0.001, max_relative_error = 0.5;

  QuantileMapping() noexcept = default;
  /// Throws invalid_parameter where the error is out of its bounds.
  explicit QuantileMapping(double relative_error);

  std::int32_t key(double value) const noexcept;
  /// What stands for all values of a bucket. Exact for zero, infinities and NaN.
  double value(std::int32_t key) const noexcept;
  /// The least and the greatest double of a bucket of finite values.
  double lower(std::int32_t key) const noexcept;
  double upper(std::int32_t key) const noexcept;

  double relative_error() const noexcept { return relative_error_; }
  /// The key of the greatest finite double; infinity has the next one, NaN the one after.
  std::int32_t max_finite() const noexcept { return max_finite_; }
  std::int32_t min_key() const noexcept { return -max_finite_ - 1; }
  std::int32_t max_key() const noexcept { return max_finite_ + 2; }

private:
  std::int64_t position(std::uint64_t bits) const noexcept;
  std::uint64_t first_bits(std::int32_t key) const noexcept;

  double relative_error_ = std::numeric_limits<double>::quiet_NaN(); ///< not set yet
  std::int64_t density_ = 0; ///< buckets per doubling of the value at the least, times 2^32
  std::int64_t offset_ = 0;
  std::int32_t max_finite_ = 0;
};

} // namespace brainsait::core
