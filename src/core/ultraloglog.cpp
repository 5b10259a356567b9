#include "core/ultraloglog.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace brainsait::core {
namespace {

/// The estimate's relative bias is c/m with m registers, to first order; c is the paper's, and
/// simulation with few registers agrees.
constexpr double bias_factor = 0.48147376527720065;

/// The log-likelihood of registers as a function of x, the expected number of hashes per register:
/// -alpha x + sum over k of beta[k] ln(1 - exp(-x 2^-k)). The number of hashes is modelled as
/// Poisson, which makes levels independent.
struct Likelihood {
  double alpha = 0; ///< probability of what was not seen
  std::array<int, ultraloglog_levels> beta{};

  explicit Likelihood(std::span<const std::uint8_t> registers) noexcept {
    std::array<int, 256> frequency{};
    for (std::uint8_t value : registers)
      ++frequency[value];
    alpha = frequency[0];
    for (int value = 1; value < 256; ++value)
      if (frequency[value] != 0)
        count(value >> 2, value & 3, frequency[value]);
  }

  /// The last two levels are equally likely.
  static int exponent(int level) noexcept { return std::min(level, ultraloglog_levels - 1); }

  void count(int highest, int below, int times) noexcept {
    if (highest < ultraloglog_levels)
      alpha += std::ldexp(times, -highest); // none of the levels above
    beta[exponent(highest)] += times;
    for (int down = 1; down <= 2 && down < highest; ++down) {
      if ((below & (down == 1 ? 2 : 1)) != 0)
        beta[highest - down] += times;
      else
        alpha += std::ldexp(times, down - highest);
    }
  }
};

/// y / (exp(y) - 1) and its derivative, for y > 0.
struct Decay {
  double value, slope;
};
Decay decay(double y) noexcept {
  if (y < 1e-5) // series: the quotients below would lose all digits
    return {1 - y / 2 + y * y / 12, -0.5 + y / 6};
  double less = std::expm1(y);
  if (!std::isfinite(less))
    return {0, 0};
  double value = y / less;
  return {value, (1 - value) / less - value};
}

} // namespace

std::uint8_t ultraloglog_merged(std::uint8_t one, std::uint8_t other) noexcept {
  if (one < other)
    std::swap(one, other);
  if (other == 0)
    return one;
  int apart = (one >> 2) - (other >> 2);
  int seen = apart < 3 ? ((other & 3) | 4) >> apart : 0;
  return static_cast<std::uint8_t>(one | (seen & 3));
}

bool ultraloglog_possible(std::uint8_t value) noexcept {
  int highest = value >> 2;
  if (highest == 0)
    return value == 0;
  if (highest > ultraloglog_levels)
    return false;
  return highest > 2 || (value & (highest == 1 ? 3 : 1)) == 0;
}

double ultraloglog_estimate(std::span<const std::uint8_t> registers) noexcept {
  const Likelihood likelihood(registers);
  double seen = 0, weight = 0;
  for (int k = 1; k < ultraloglog_levels; ++k) {
    seen += likelihood.beta[k];
    weight += std::ldexp(likelihood.beta[k], -k);
  }
  if (seen == 0)
    return 0;
  if (likelihood.alpha == 0)
    return std::numeric_limits<double>::infinity();

  // The likelihood is greatest where f(x) = sum beta[k] y/(exp(y)-1) - alpha x, y = x 2^-k, is
  // zero. f falls and is convex, so Newton's method climbs to the root from below without passing
  // it, and y/(exp(y)-1) >= 1 - y/2 gives a start below.
  double x = seen / (likelihood.alpha + weight / 2);
  for (int round = 0; round < 100; ++round) {
    double value = -likelihood.alpha * x, slope = -likelihood.alpha;
    for (int k = 1; k < ultraloglog_levels; ++k) {
      if (likelihood.beta[k] == 0)
        continue;
      Decay term = decay(std::ldexp(x, -k));
      value += likelihood.beta[k] * term.value;
      slope += likelihood.beta[k] * std::ldexp(term.slope, -k);
    }
    double step = -value / slope;
    x += step;
    if (!(step > x * 1e-12))
      break;
  }
  double count = static_cast<double>(registers.size());
  return x * count / (1 + bias_factor / count);
}

} // namespace brainsait::core
