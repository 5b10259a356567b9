#include "core/uuid_v7.hpp"

#include <algorithm>

namespace brainsait::core {

UuidBytes UuidV7Generator::next(std::int64_t unix_nanoseconds,
                                std::span<const std::uint8_t, 8> random) noexcept {
  constexpr std::uint64_t nanoseconds_per_millisecond = 1'000'000;
  constexpr unsigned fraction_bits = 12;

  auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(unix_nanoseconds, 0));
  std::uint64_t milliseconds = time / nanoseconds_per_millisecond;
  std::uint64_t fraction =
      ((time % nanoseconds_per_millisecond) << fraction_bits) / nanoseconds_per_millisecond;
  last_ = std::max((milliseconds << fraction_bits) | fraction, last_ + 1);

  UuidBytes uuid{};
  milliseconds = last_ >> fraction_bits;
  for (std::size_t i = 0; i < 6; ++i)
    uuid[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
  uuid[6] = static_cast<std::uint8_t>(0x70U | ((last_ >> 8) & 0x0FU));
  uuid[7] = static_cast<std::uint8_t>(last_);
  std::copy(random.begin(), random.end(), uuid.begin() + 8);
  uuid[8] = static_cast<std::uint8_t>(0x80U | (uuid[8] & 0x3FU));
  return uuid;
}

} // namespace brainsait::core
