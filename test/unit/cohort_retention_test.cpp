// Periods against a walk over all boundaries, and sparklines by hand.

#include "core/cohort_retention.hpp"
#include "core/error.hpp"
#include "core/sparkline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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

template <typename State> int refused_flips(const State &good) {
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
  return refused;
}

TEST(CohortRetention, IsItsDefinitionInAnyOrderOfRowsAndMerges) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    CohortRetention::Shape shape;
    shape.anchor = static_cast<std::int64_t>(random() % 100);
    shape.microseconds = 1;
    shape.periods = 1 + random() % 20;
    shape.on_or_after = i % 2 == 0;
    shape.zone = "Asia/Riyadh";
    std::vector<std::int64_t> boundaries{shape.anchor};
    while (boundaries.size() <= shape.periods) // some periods have no length
      boundaries.push_back(boundaries.back() + static_cast<std::int64_t>(random() % 5));
    Empty<CohortRetention> whole, parts[2];
    for (CohortRetention *state :
         {static_cast<CohortRetention *>(&whole), static_cast<CohortRetention *>(&parts[0]),
          static_cast<CohortRetention *>(&parts[1])}) {
      state->take_shape(shape);
      state->set_boundaries(boundaries);
    }
    std::vector<std::int64_t> times(random() % 6);
    for (std::int64_t &time : times) {
      time = static_cast<std::int64_t>(random() % 200);
      whole.add(time);
      parts[random() % 2].add(time);
    }
    Empty<CohortRetention> merged;
    merged.merge(parts[1]);
    merged.merge(parts[0]);
    ASSERT_EQ(bytes_of(merged), bytes_of(whole));
    for (unsigned period = 0; period < shape.periods; ++period) {
      bool expected = false;
      for (std::int64_t time : times)
        expected = expected || (time >= boundaries[period] &&
                                (shape.on_or_after || time < boundaries[period + 1]));
      ASSERT_EQ(merged.is_active(period), expected) << i;
    }
  }
}

TEST(CohortRetention, RefusesMixedShapesAndBytesThatAreNoState) {
  CohortRetention::Shape shape;
  shape.months = 1;
  shape.periods = 13;
  shape.zone = "UTC";
  Empty<CohortRetention> state;
  state.take_shape(shape);
  auto refuses = [&](auto &&change) {
    auto other = shape;
    change(other);
    EXPECT_THROW(state.take_shape(other), Error);
    return other;
  };
  using Shape = CohortRetention::Shape;
  refuses([](Shape &other) { other.anchor = 1; });
  refuses([](Shape &other) { other.days = 1; });
  refuses([](Shape &other) { other.on_or_after = true; });
  refuses([](Shape &other) { other.zone = "GMT"; });
  for (const Shape &bad : {refuses([](Shape &other) { other.periods = 0; }),
                           refuses([](Shape &other) { other.periods = 1001; }),
                           refuses([](Shape &other) { other.months = 0; }),
                           refuses([](Shape &other) { other.days = -1; })})
    EXPECT_THROW(Empty<CohortRetention>().take_shape(bad), Error);
  EXPECT_GT(refused_flips<CohortRetention>(state), 20000);
}

TEST(Sparkline, DrawsEachValue) {
  auto draw = [](std::initializer_list<double> values) {
    Empty<Sparkline> line;
    for (double value : values)
      line.add(value);
    return std::string(line.draw(std::pmr::new_delete_resource()));
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const double largest = std::numeric_limits<double>::max();
  const double smallest = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(draw({0, 1, 2, 3, 4, 5, 6, 7}), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(draw({8, 0, 3.9, 4}), "█▁▄▅");
  EXPECT_EQ(draw({5, 5}), "▄▄");
  EXPECT_EQ(draw({-largest, 0, largest}), "▁▅█");
  EXPECT_EQ(draw({-smallest, 0, smallest}), "▁▅█");
  EXPECT_EQ(draw({1, std::nan(""), -infinity, infinity, 2}), "▁ ▁██");
  EXPECT_EQ(draw({infinity, -infinity}), "█▁");
  EXPECT_EQ(draw({3, infinity, -infinity}), "▄█▁");
  EXPECT_EQ(draw({}), "");
}

TEST(Sparkline, IsBoundedAndRefusesBytesThatAreNoState) {
  Empty<Sparkline> line, copy;
  for (double value : {1.0, -0.0, std::nan("7"), 1e300})
    line.add(value);
  copy.load(bytes_of(line));
  EXPECT_EQ(bytes_of(copy), bytes_of(line));
  EXPECT_GT(refused_flips<Sparkline>(line), 20000);
  for (std::size_t i = 4; i < Sparkline::max_values; ++i)
    line.add(0);
  EXPECT_THROW(line.add(0), Error);
  EXPECT_THROW(line.merge(copy), Error);
}

} // namespace
} // namespace brainsait::core
