#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace brainsait::core {

using UuidBytes = std::array<std::uint8_t, 16>;

/// Makes time-ordered UUIDs, version 7 of RFC 9562, whose values strictly increase over the life of
/// the object, also where the clock stands still or steps back. Has neither clock nor randomness of
/// its own. Constant-initialised, so one may stand at namespace scope.
class UuidV7Generator {
public:
  /// The next UUID: 48 bits of Unix milliseconds, then, as section 6.2 method 3 has it, 12 bits of
  /// the fraction of the millisecond (steps of 244 ns), then 62 of the 64 `random` bits. A clock
  /// that has not advanced past the last value is overruled by that value plus one step; one before
  /// 1970 counts as 1970. `unix_nanoseconds` reaches the year 2262, the format 10889, so nothing
  /// overflows.
  UuidBytes next(std::int64_t unix_nanoseconds, std::span<const std::uint8_t, 8> random) noexcept;

private:
  std::uint64_t last_ = 0; ///< milliseconds * 4096 + fraction of the last UUID
};

} // namespace brainsait::core
