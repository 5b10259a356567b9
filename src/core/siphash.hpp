#pragma once

#include <bit>
#include <cstdint>

namespace brainsait::core {

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of one 64-bit
/// word, taken as its eight bytes, least significant first.
constexpr std::uint64_t siphash(std::uint64_t key0, std::uint64_t key1,
                                std::uint64_t word) noexcept {
  std::uint64_t v0 = key0 ^ 0x736f6d6570736575U;
  std::uint64_t v1 = key1 ^ 0x646f72616e646f6dU;
  std::uint64_t v2 = key0 ^ 0x6c7967656e657261U;
  std::uint64_t v3 = key1 ^ 0x7465646279746573U;
  auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  };
  auto absorb = [&](std::uint64_t block) {
    v3 ^= block;
    rounds(2);
    v0 ^= block;
  };
  absorb(word);
  absorb(std::uint64_t{8} << 56); // the last block tells the length, 8 bytes
  v2 ^= 0xFF;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

} // namespace brainsait::core
