#pragma once

#include "core/error.hpp"

#include <gtest/gtest.h>

#include <memory_resource>
#include <random>
#include <vector>

namespace brainsait::test {

using Bytes = std::vector<std::uint8_t>;

/// States are never destroyed, their memory goes as a whole: here at the end of the program.
inline std::pmr::memory_resource *memory() {
  static std::pmr::unsynchronized_pool_resource pool;
  return &pool;
}

template <typename State> Bytes stored(const State &state) {
  Bytes bytes(state.flat_size(), 0xEE);
  state.flatten(bytes.data());
  return bytes;
}

/// Whether the bytes load; what loads must come out as it went in.
template <typename State> bool accepted(const Bytes &bytes) {
  State state(memory());
  try {
    state.load(bytes);
  } catch (const core::Error &error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::corrupted);
    return false;
  }
  EXPECT_EQ(stored(state), bytes);
  return true;
}

/// Every prefix, the bytes with one more, and many with some bits flipped: 100,000 of a format in
/// all, where it is called for four states of one.
template <typename State>
void expect_damage_is_refused_or_kept(const Bytes &good, int rounds = 25000) {
  EXPECT_TRUE(accepted<State>(good));
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 64)
    EXPECT_FALSE(accepted<State>(Bytes(good.begin(), good.begin() + std::ptrdiff_t(size))));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(accepted<State>(longer));
  std::mt19937_64 random(7);
  for (int round = 0; round < rounds; ++round) {
    Bytes damaged = good;
    for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      // Half of the damage is at the start, where the header is.
      std::size_t place = random() % 2 == 0 ? random() % good.size()
                                            : random() % std::min<std::size_t>(48, good.size());
      damaged[place] ^= std::uint8_t(1U << random() % 8);
    }
    accepted<State>(damaged);
  }
}

} // namespace brainsait::test
