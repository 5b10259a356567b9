// Sessions against their definition: all events sorted, a new session after each pause that is
// longer than the gap.

#include "core/error.hpp"
#include "core/session_stats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace brainsait::core {
namespace {

struct State : SessionStats {
  State() : SessionStats(std::pmr::new_delete_resource()) {}
};

SessionTotals by_definition(std::vector<std::int64_t> times, std::int64_t gap) {
  std::sort(times.begin(), times.end());
  SessionTotals totals;
  for (std::size_t first = 0; first < times.size();) {
    std::size_t end = first + 1;
    while (end < times.size() && times[end] - times[end - 1] <= gap)
      ++end;
    totals.sessions += 1;
    totals.bounces += end - first == 1 ? 1 : 0;
    totals.total_duration += times[end - 1] - times[first];
    totals.events += static_cast<std::int64_t>(end - first);
    first = end;
  }
  return totals;
}

std::vector<std::uint8_t> bytes_of(const SessionStats &stats) {
  std::vector<std::uint8_t> bytes(stats.flat_size());
  stats.flatten(bytes.data());
  return bytes;
}

TEST(SessionStats, IsItsDefinitionInAnyOrderOfRowsAndMerges) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 4000; ++i) {
    const auto gap = static_cast<std::int64_t>(random() % 20);
    const std::size_t most = i % 100 == 0 ? 5000 : 30;
    std::vector<std::int64_t> times(random() % most);
    const std::uint64_t range = 1 + random() % (20 * most);
    for (std::int64_t &time : times)
      time = static_cast<std::int64_t>(random() % range) - 100;
    if (i % 3 == 0)
      std::sort(times.begin(), times.end());
    State whole, parts[3];
    for (std::int64_t time : times) {
      whole.add(gap, time);
      parts[random() % 3].add(gap, time);
      if (random() % 64 == 0) { // reading in between changes nothing
        ASSERT_LE(whole.totals().sessions, static_cast<std::int64_t>(times.size()));
      }
    }
    ASSERT_EQ(whole.totals(), by_definition(times, gap));
    State merged;
    for (int part : {1, 2, 0})
      merged.merge(parts[part]);
    ASSERT_EQ(merged.totals(), whole.totals());
    if (!times.empty()) {
      ASSERT_EQ(bytes_of(merged), bytes_of(whole));
      State stored;
      stored.load(bytes_of(whole));
      stored.add(gap, 5);
      times.push_back(5);
      ASSERT_EQ(stored.totals(), by_definition(times, gap));
    }
  }
}

TEST(SessionStats, RefusesMixedGapsAndWhatIsOutOfRange) {
  State a, b;
  a.add(5, 0);
  b.add(6, 0);
  EXPECT_THROW(a.add(6, 0), Error);
  EXPECT_THROW(a.merge(b), Error);
  EXPECT_THROW(State().add(-1, 0), Error);
  State wide;
  wide.add(INT64_MAX, INT64_MIN);
  wide.add(INT64_MAX, 0);
  EXPECT_EQ(wide.totals().sessions, 2);
  wide.add(INT64_MAX, -1);
  EXPECT_THROW(wide.totals(), Error);
}

TEST(SessionStats, IsBounded) {
  constexpr std::int64_t most = 10000;
  SessionStats full(std::pmr::new_delete_resource(), most);
  for (std::int64_t i = 0; i < most; ++i)
    full.add(0, 2 * i);
  for (std::int64_t i = 0; i < 1000; ++i)
    full.add(0, i % 50 * 2); // sessions that there are
  EXPECT_EQ(full.totals().sessions, most);
  full.add(0, -2);
  try {
    full.totals();
    ADD_FAILURE();
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit_exceeded);
  }
  // However many come, memory is bounded.
  EXPECT_THROW(for (std::int64_t i = 0; i < most; ++i) full.add(0, -2 * i - 4), Error);
  // Many events of few sessions are no burden.
  State busy;
  for (std::int64_t i = 0; i < 3000000; ++i)
    busy.add(10, i % 1000 * 1000 + i % 7);
  EXPECT_EQ(busy.totals().sessions, 1000);
  EXPECT_EQ(busy.totals().events, 3000000);
}

TEST(SessionStats, RefusesBytesThatAreNoState) {
  State good;
  for (std::int64_t time : {0, 3, 100, 200, 207})
    good.add(10, time);
  const auto bytes = bytes_of(good);
  std::mt19937_64 random(5);
  int refused = 0;
  for (int i = 0; i < 100000; ++i) {
    auto changed = bytes;
    changed[random() % changed.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    if (random() % 4 == 0)
      changed.resize(random() % (bytes.size() + 9));
    try {
      State state;
      state.load(changed);
      EXPECT_EQ(bytes_of(state), changed);
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupted);
      ++refused;
    }
  }
  EXPECT_GT(refused, 20000);
  EXPECT_LT(refused, 99500);
}

} // namespace
} // namespace brainsait::core
