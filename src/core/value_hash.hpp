#pragma once

#include <cstdint>
#include <span>

namespace brainsait::core {

/// Spreads a word over 64 bits: the generator SplitMix64's step (Steele, Lea and Flood, "Fast
/// Splittable Pseudorandom Number Generators", 2014, with Stafford's constants). A bijection, so
/// different words never collide.
constexpr std::uint64_t mix64(std::uint64_t word) noexcept {
  word += 0x9e3779b97f4a7c15U; // keeps zero, the most common value of all, from its fixed point
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9U;
  word = (word ^ word >> 27) * 0x94d049bb133111ebU;
  return word ^ word >> 31;
}

/// The hash XXH64 with seed 0 of a string of bytes (Collet, "xxHash fast digest algorithm", format
/// specification 0.1.1), the same on every machine.
std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes) noexcept;

} // namespace brainsait::core
