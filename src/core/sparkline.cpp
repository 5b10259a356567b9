#include "core/sparkline.hpp"

#include "core/bytes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace brainsait::core {
namespace {

constexpr std::uint8_t version = 1;
constexpr int heights = 8;

/// 0 to 7. Halves keep the difference of the largest numbers finite, and would make the smallest
/// numbers equal.
int height_of(double value, double least, double greatest) {
  if (value <= least && least < greatest)
    return 0;
  if (value >= greatest && least < greatest)
    return heights - 1;
  if (!(least < greatest))
    return value < least ? 0 : value > greatest ? heights - 1 : heights / 2 - 1;
  const double range = greatest - least;
  const double share = std::isfinite(range) ? (value - least) / range
                                            : (value / 2 - least / 2) / (greatest / 2 - least / 2);
  return std::clamp(static_cast<int>(share * heights), 0, heights - 1);
}

} // namespace

void Sparkline::add(double value) {
  if (values_.size() == max_values)
    throw Error(ErrorKind::limit_exceeded, "a sparkline has more than 65536 values");
  values_.push_back(std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value);
}

void Sparkline::merge(const Sparkline &other) {
  for (double value : other.values_)
    add(value);
}

std::pmr::string Sparkline::draw(std::pmr::memory_resource *memory) const {
  double least = std::numeric_limits<double>::infinity();
  double greatest = -least;
  for (double value : values_)
    if (std::isfinite(value)) {
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
  if (least > greatest) // nothing is finite
    least = greatest = 0;
  std::pmr::string text(memory);
  text.reserve(3 * values_.size());
  for (double value : values_) {
    if (std::isnan(value)) {
      text += ' ';
      continue;
    }
    text += "\xE2\x96";
    text += static_cast<char>(0x81 + height_of(value, least, greatest));
  }
  return text;
}

void Sparkline::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != version)
    refuse_bytes("The version is not known.");
  const std::size_t count = reader.u32();
  if (count > max_values || reader.left() != 8 * count)
    refuse_bytes("The number of values is not that of the bytes.");
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t bits = reader.u64();
    const auto value = std::bit_cast<double>(bits);
    add(value);
    if (std::bit_cast<std::uint64_t>(values_.back()) != bits)
      refuse_bytes("A value is no number in an unknown way.");
  }
}

void Sparkline::flatten(std::uint8_t *bytes) const noexcept {
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u32(static_cast<std::uint32_t>(values_.size()));
  for (double value : values_)
    writer.f64(value);
}

} // namespace brainsait::core
