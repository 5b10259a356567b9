// Retention and sums of rows against direct definitions.

#include "core/error.hpp"
#include "core/retention.hpp"

#include <gtest/gtest.h>

#include <random>

namespace brainsait::core {
namespace {

template <typename State> struct Empty : State {
  Empty() : State(std::pmr::new_delete_resource()) {}
};

template <typename State> std::vector<std::uint8_t> bytes_of(const State &state) {
  std::vector<std::uint8_t> bytes(state.flat_size());
  state.flatten(bytes.data());
  return bytes;
}

TEST(Retention, HoldsWhatARowMetAndTheFirstConditionToo) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const unsigned count = 1 + random() % 64;
    Empty<Retention> whole, parts[2];
    std::vector<std::uint64_t> masks(1 + random() % 4);
    for (std::uint64_t &mask : masks) {
      mask = random() & random() & random();
      mask &= count == 64 ? UINT64_MAX : (std::uint64_t{1} << count) - 1;
      whole.add(count, mask);
      parts[random() % 2].add(count, mask);
    }
    parts[0].merge(parts[1]);
    ASSERT_EQ(bytes_of(parts[0]), bytes_of(whole));
    ASSERT_EQ(whole.size(), count);
    for (unsigned condition = 0; condition < count; ++condition) {
      bool first = false, any = false;
      for (std::uint64_t mask : masks) {
        first = first || (mask & 1) != 0;
        any = any || (mask >> condition & 1) != 0;
      }
      ASSERT_EQ(whole.holds(condition), first && any);
    }
  }
}

TEST(Retention, RefusesMixedNumbersOfConditions) {
  Empty<Retention> two, three;
  two.add(2, 3);
  three.add(3, 3);
  EXPECT_THROW(two.add(3, 0), Error);
  EXPECT_THROW(two.merge(three), Error);
  EXPECT_THROW(Empty<Retention>().add(0, 0), Error);
  EXPECT_THROW(Empty<Retention>().add(65, 0), Error);
}

TEST(ElementwiseCounts, AreSums) {
  Empty<ElementwiseCounts> sums, more, other;
  sums.set_length(3);
  sums.add(0);
  sums.add(2, 5);
  more.set_length(3);
  more.add(2, INT64_MAX - 5);
  sums.merge(more);
  EXPECT_EQ(std::vector<std::int64_t>(sums.counts().begin(), sums.counts().end()),
            (std::vector<std::int64_t>{1, 0, INT64_MAX}));
  EXPECT_THROW(sums.add(2), Error);
  EXPECT_THROW(sums.merge(more), Error);
  other.set_length(4);
  EXPECT_THROW(sums.merge(other), Error);
  EXPECT_THROW(sums.set_length(4), Error);
  EXPECT_THROW(Empty<ElementwiseCounts>().set_length(0), Error);
  EXPECT_THROW(Empty<ElementwiseCounts>().set_length(65537), Error);
}

template <typename State> void flip(const State &good) {
  const auto bytes = bytes_of(good);
  std::mt19937_64 random(2);
  int refused = 0;
  for (int i = 0; i < 100000; ++i) {
    auto changed = bytes;
    changed[random() % changed.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    if (random() % 4 == 0)
      changed.resize(random() % (bytes.size() + 9));
    try {
      Empty<State> state;
      state.load(changed);
      EXPECT_EQ(bytes_of(state), changed);
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupted);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

TEST(Retention, RefusesBytesThatAreNoState) {
  Empty<Retention> retention;
  retention.add(5, 21);
  flip<Retention>(retention);
  Empty<ElementwiseCounts> sums;
  sums.set_length(2);
  sums.add(1, 77);
  flip<ElementwiseCounts>(sums);
}

} // namespace
} // namespace brainsait::core
