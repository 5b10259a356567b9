#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace brainsait::core {

// UltraLogLog (Ertl, "UltraLogLog: A Practical and More Space-Efficient Alternative to HyperLogLog
// for Approximate Distinct Counting", PVLDB 17(7), 2024) with p = 11: 2,048 registers of one byte.
//
// A hash chooses a register by its first 11 bits and a level from 1 to 54 by the number of zeros
// that follow, so that level k comes with probability 2^-k. A register remembers the highest level
// u seen and whether u-1 and u-2 were seen: 4u + 2[u-1 seen] + [u-2 seen], 0 while there was none.
// It is a function of the set of levels, so order and repetition leave no trace.

constexpr int ultraloglog_precision = 11;
constexpr std::size_t ultraloglog_registers = std::size_t{1} << ultraloglog_precision;
constexpr int ultraloglog_levels = 65 - ultraloglog_precision;

using UltraLogLog = std::array<std::uint8_t, ultraloglog_registers>;

/// Adds a hash to the 2,048 registers.
inline void ultraloglog_add(std::span<std::uint8_t> registers, std::uint64_t hash) noexcept {
  std::uint8_t &stored = registers[hash >> (64 - ultraloglog_precision)];
  // The bit below the hash ends the run of zeros of one that has nothing else.
  std::uint64_t rest = hash << ultraloglog_precision | std::uint64_t{1}
                                                           << (ultraloglog_precision - 1);
  int level = std::countl_zero(rest) + 1;
  int highest = stored >> 2;
  if (level <= highest) {
    stored |= std::uint64_t{4} >> (highest - level) & 3;
  } else {
    std::uint64_t seen = stored == 0 ? 0 : (stored & 3) | 4;
    stored = static_cast<std::uint8_t>(level << 2 | static_cast<int>(seen >> (level - highest)));
  }
}

/// What two registers hold together.
std::uint8_t ultraloglog_merged(std::uint8_t one, std::uint8_t other) noexcept;

/// Whether a register can have that value.
bool ultraloglog_possible(std::uint8_t value) noexcept;

/// The number of distinct hashes that the registers have seen, by maximum likelihood, with the
/// paper's first-order correction of bias. The asymptotic relative standard error
/// with 2,048 registers is 1.68 %. Any power of two of registers, for tests. Infinite where every
/// register is full.
double ultraloglog_estimate(std::span<const std::uint8_t> registers) noexcept;

} // namespace brainsait::core
