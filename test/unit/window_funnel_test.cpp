// Funnels against exhaustive search: every chain of rows where rows are free, and a literal walk
// over every order of tied rows where what stands between them counts.

#include "core/error.hpp"
#include "core/window_funnel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <tuple>

namespace brainsait::core {
namespace {

using Times = std::vector<std::int64_t>;
using Rows = std::vector<FunnelEvent>;

/// The best chain by definition: most steps, earliest end, latest start, earliest steps; with
/// any_order most steps, earliest end, earliest steps.
struct Best {
  bool any = false;
  Times times;

  void offer(const Times &chain) {
    auto rank = [&](const Times &one) {
      return std::tuple(-static_cast<std::int64_t>(one.size()),
                        one.empty() ? 0 : *std::max_element(one.begin(), one.end()),
                        one.empty() || any ? 0 : -one.front(), one);
    };
    if (rank(chain) < rank(times))
      times = chain;
  }
};

struct Search {
  const Rows &rows;
  unsigned steps;
  std::int64_t window;
  unsigned modes;
  Best best{(modes & any_order) != 0, {}};

  bool is(unsigned mode) const { return (modes & mode) != 0; }

  /// Extends a chain by every row that may come next.
  void extend(Times &chain, std::vector<std::size_t> &used) {
    best.offer(chain);
    if (chain.size() == steps)
      return;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if ((rows[i].steps >> chain.size() & 1) == 0)
        continue;
      const std::int64_t time = rows[i].time;
      const bool is_used = std::find(used.begin(), used.end(), i) != used.end();
      if (is_used && (is(strict_once) || is(any_order)))
        continue;
      chain.push_back(time);
      auto [least, most] = std::minmax_element(chain.begin(), chain.end());
      bool fits = *most - *least <= window;
      if (chain.size() > 1 && !is(any_order)) {
        const std::int64_t before = chain[chain.size() - 2];
        fits = fits && (is(strict_increase) ? before < time : before <= time);
      }
      if (is(any_order) && is(strict_increase))
        fits = fits && std::count(chain.begin(), chain.end(), time) == 1;
      if (fits) {
        used.push_back(i);
        extend(chain, used);
        used.pop_back();
      }
      chain.pop_back();
    }
  }

  struct StepOfRow {
    std::int64_t time;
    unsigned step; ///< 0: none
    std::size_t place;
    std::size_t row;
    auto operator<=>(const StepOfRow &) const = default;
  };

  /// Walks from every row of step 1, for one order of rows that are equal in time and step.
  void walk(const std::vector<std::size_t> &places) {
    std::vector<StepOfRow> line;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].steps == 0)
        line.push_back({rows[i].time, 0, places[i], i});
      for (unsigned step = 1; step <= steps; ++step)
        if ((rows[i].steps >> (step - 1) & 1) != 0)
          line.push_back({rows[i].time, step, places[i], i});
    }
    std::sort(line.begin(), line.end());
    for (std::size_t first = 0; first < line.size(); ++first)
      if (line[first].step == 1)
        walk_from(line, first);
  }

  void walk_from(const std::vector<StepOfRow> &line, std::size_t first) {
    Times chain{line[first].time};
    std::vector<std::size_t> used{line[first].row};
    best.offer(chain);
    for (std::size_t i = first + 1; i < line.size(); ++i) {
      const StepOfRow &next = line[i];
      if (next.time - chain.front() > window)
        return;
      if (is(strict_order) && (next.step == 0 || next.step > chain.size() + 1))
        return;
      if (is(strict_deduplication) && next.step > 1 && next.step <= chain.size())
        return;
      if (next.step != chain.size() + 1 || (is(strict_increase) && chain.back() == next.time) ||
          (is(strict_once) && std::find(used.begin(), used.end(), next.row) != used.end()))
        continue;
      chain.push_back(next.time);
      used.push_back(next.row);
      best.offer(chain);
    }
  }

  Times run() {
    if (is(strict_order) || is(strict_deduplication)) {
      std::vector<std::size_t> places(rows.size());
      std::iota(places.begin(), places.end(), 0);
      do
        walk(places);
      while (is(strict_once) && std::next_permutation(places.begin(), places.end()));
    } else {
      Times chain;
      std::vector<std::size_t> used;
      extend(chain, used);
    }
    return best.times;
  }
};

/// Every set of modes that is allowed.
std::vector<unsigned> all_modes() {
  std::vector<unsigned> modes;
  for (unsigned set = 0; set < 32; ++set)
    if (are_funnel_modes(set))
      modes.push_back(set);
  return modes;
}

Times times_of(const FunnelMatch &match) {
  return {match.times.begin(), match.times.begin() + match.level};
}

Rows random_rows(std::mt19937_64 &random, std::size_t most, unsigned steps, unsigned times) {
  Rows rows(random() % (most + 1));
  const unsigned density = 1 + random() % 3;
  for (FunnelEvent &row : rows) {
    row.time = static_cast<std::int64_t>(random() % times);
    row.steps = 0;
    for (unsigned step = 0; step < steps; ++step)
      if (random() % 4 < density)
        row.steps |= 1U << step;
    if (random() % 2 == 0) // often a row of one step
      row.steps = random() % 8 == 0 ? 0 : 1U << random() % steps;
  }
  return rows;
}

TEST(WindowFunnel, IsExhaustiveSearchInEveryMode) {
  std::mt19937_64 random(1);
  const auto modes = all_modes();
  ASSERT_EQ(modes.size(), 20U);
  int reached[5] = {};
#ifdef __SANITIZE_ADDRESS__
  const int inputs = 40000;
#else
  const int inputs = 240000;
#endif
  for (int i = 0; i < inputs; ++i) {
    const unsigned mode = modes[static_cast<std::size_t>(i) % modes.size()];
    const bool permutes =
        (mode & strict_once) != 0 && (mode & (strict_order | strict_deduplication)) != 0;
    const unsigned steps = 1 + random() % 4;
    Rows rows = random_rows(random, permutes ? 5 : 6, steps, 1 + random() % 6);
    const auto window = static_cast<std::int64_t>(random() % 6);
    if ((mode & strict_order) == 0)
      std::erase_if(rows, [](const FunnelEvent &row) { return row.steps == 0; });
    const Times expected = Search{rows, steps, window, mode}.run();
    std::sort(rows.begin(), rows.end());
    const Times found =
        times_of(match_funnel(rows, steps, static_cast<std::uint64_t>(window), mode));
    if (found != expected) {
      std::string text;
      for (const FunnelEvent &row : rows)
        text += " " + std::to_string(row.time) + ":" + std::to_string(row.steps);
      FAIL() << "modes " << mode << ", " << steps << " steps, window " << window << ", rows" << text
             << ": " << testing::PrintToString(found) << " instead of "
             << testing::PrintToString(expected);
    }
    ++reached[found.size()];
  }
  for (int count : reached)
    EXPECT_GT(count, inputs / 200);
}

/// Longer inputs: 8 rows at 2 points in time, where matching has to move rows about.
TEST(WindowFunnel, GivesTiedRowsToSteps) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) {
    const unsigned mode = i % 2 == 0 ? strict_once : any_order;
    Rows rows = random_rows(random, 8, 5, 2);
    std::erase_if(rows, [](const FunnelEvent &row) { return row.steps == 0; });
    const Times expected = Search{rows, 5, 1, mode}.run();
    std::sort(rows.begin(), rows.end());
    ASSERT_EQ(times_of(match_funnel(rows, 5, 1, mode)), expected) << i;
  }
}

TEST(WindowFunnel, KnowsWhatOthersUndercount) {
  // strict_increase on equal times: step 2 at the time of step 1 must not hide a later one.
  EXPECT_EQ(match_funnel(Rows{{0, 1}, {0, 2}, {1, 2}}, 2, 5, strict_increase).level, 2U);
  // strict_once: the row of both steps is kept for the second.
  EXPECT_EQ(match_funnel(Rows{{0, 1}, {0, 3}}, 2, 5, strict_once).level, 2U);
  EXPECT_EQ(match_funnel(Rows{{0, 3}}, 2, 5, strict_once).level, 1U);
  EXPECT_EQ(match_funnel(Rows{{0, 3}}, 2, 5, 0).level, 2U);
  // The window is inclusive, over the whole range of times.
  EXPECT_EQ(match_funnel(Rows{{0, 1}, {5, 2}}, 2, 5, 0).level, 2U);
  EXPECT_EQ(match_funnel(Rows{{0, 1}, {6, 2}}, 2, 5, 0).level, 1U);
  EXPECT_EQ(match_funnel(Rows{{INT64_MIN, 1}, {INT64_MAX, 2}}, 2, INT64_MAX, 0).level, 1U);
  EXPECT_EQ(match_funnel(Rows{{INT64_MIN, 1}, {INT64_MAX, 2}}, 2, UINT64_MAX, 0).level, 2U);
  EXPECT_EQ(match_funnel(Rows{}, 2, 5, 0).level, 0U);
}

TEST(WindowFunnel, ReadsModes) {
  EXPECT_EQ(parse_funnel_modes(""), 0U);
  EXPECT_EQ(parse_funnel_modes(" strict_once ,strict_order,strict_once"),
            strict_once | strict_order);
  EXPECT_EQ(parse_funnel_modes("any_order,strict_increase"), any_order | strict_increase);
  for (const char *bad : {"strict", "strict_once,", ",", "any_order,strict_order", "Strict_Once",
                          "any_order,strict_deduplication"})
    EXPECT_THROW(parse_funnel_modes(bad), Error) << bad;
}

/// Ten thousand rows of one user, tied and untied, sparse and dense, within 50 ms of processor time
/// in every mode.
// Walking every path would take longer than the world lasts, so this test would not end.
TEST(WindowFunnel, IsPolynomialInEveryMode) {
  std::mt19937_64 random(3);
  for (unsigned mode : all_modes())
    for (unsigned steps : {3U, 10U, 32U})
      for (std::uint64_t times : {1U, 300U, 1000000U})
        for (int shape = 0; shape < 3; ++shape) {
          Rows rows(10000);
          const std::uint32_t all = steps == 32 ? UINT32_MAX : (1U << steps) - 1;
          for (FunnelEvent &row : rows) {
            row.time = static_cast<std::int64_t>(random() % times);
            row.steps = (shape == 0   ? 1U << random() % steps
                         : shape == 1 ? static_cast<std::uint32_t>(random())
                                      // The last two steps share one row in a hundred.
                                      : static_cast<std::uint32_t>(random()) & all >> 2) &
                        all;
            if (shape == 2 && random() % 100 == 0)
              row.steps |= all & ~(all >> 2);
          }
          std::sort(rows.begin(), rows.end());
          const unsigned level = match_funnel(rows, steps, times / 2, mode).level;
          EXPECT_GE(level, 1U) << mode << " " << steps << " " << times << " " << shape;
          EXPECT_LE(level, steps) << mode << " " << steps << " " << times << " " << shape;
        }
}

struct State : WindowFunnel {
  State() : WindowFunnel(std::pmr::new_delete_resource()) {}
};

std::vector<std::uint8_t> bytes_of(const WindowFunnel &funnel) {
  std::vector<std::uint8_t> bytes(funnel.flat_size());
  funnel.flatten(bytes.data());
  return bytes;
}

TEST(WindowFunnel, GivesTheSameBytesInAnyOrderOfRowsAndMerges) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 500; ++i) {
    const FunnelShape shape{i % 3 == 0 ? unsigned{strict_order} : 0U, 4, 3};
    Rows rows = random_rows(random, 20, 4, 6);
    State whole;
    for (int part = 0; part < 3; ++part)
      whole.add(shape, 0, 0);
    for (const FunnelEvent &row : rows)
      whole.add(shape, row.time, row.steps);
    State parts[3];
    std::shuffle(rows.begin(), rows.end(), random);
    for (const FunnelEvent &row : rows)
      parts[random() % 3].add(shape, row.time, row.steps);
    for (State &part : parts)
      part.add(shape, 0, 0);
    State stored;
    stored.load(bytes_of(parts[1]));
    parts[2].merge(stored);
    parts[2].merge(parts[0]);
    EXPECT_EQ(bytes_of(parts[2]), bytes_of(whole));
    EXPECT_EQ(parts[2].match().level, whole.match().level);
  }
}

/// Rows come back in order whatever they take: near ones in a word each, then one that is too far
/// or has too many steps, and merges of both kinds.
TEST(WindowFunnel, KeepsRowsOfEveryTime) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 3000; ++i) {
    const unsigned steps = 1 + random() % 32;
    const std::uint64_t spread = std::uint64_t{1} << random() % 64;
    Rows rows(random() % 60);
    for (FunnelEvent &row : rows) {
      row.time = static_cast<std::int64_t>(random() % spread - spread / 2);
      if (random() % 50 == 0)
        row.time = random() % 2 == 0 ? INT64_MIN : INT64_MAX;
      row.steps = static_cast<std::uint32_t>(random() >> (64 - steps));
      row.steps += row.steps == 0 ? 1 : 0;
    }
    const FunnelShape shape{0, steps, INT64_MAX};
    State parts[2], whole;
    for (const FunnelEvent &row : rows) {
      State &part = parts[random() % 2];
      if (!part.add_in_place(shape, row.time, row.steps))
        part.add(shape, row.time, row.steps);
    }
    parts[0].merge(parts[1]);
    std::sort(rows.begin(), rows.end());
    for (const FunnelEvent &row : rows)
      whole.add(shape, row.time, row.steps);
    const auto bytes = bytes_of(parts[0]);
    ASSERT_EQ(bytes, bytes_of(whole));
    if (rows.empty())
      continue;
    // The stored form, read by hand: 15 bytes, then a time and steps for each row.
    ASSERT_EQ(bytes.size(), 15 + 12 * rows.size());
    for (std::size_t at = 0; at < rows.size(); ++at) {
      FunnelEvent stored{};
      std::memcpy(&stored.time, &bytes[15 + 12 * at], 8);
      std::memcpy(&stored.steps, &bytes[23 + 12 * at], 4);
      ASSERT_EQ(stored, rows[at]);
    }
    State loaded;
    loaded.load(bytes);
    EXPECT_EQ(bytes_of(loaded), bytes);
    EXPECT_EQ(loaded.level(), match_funnel(rows, steps, INT64_MAX, 0).level);
  }
}

/// level() looks for less than match(), which the exhaustive search above has proved.
TEST(WindowFunnel, FindsTheLevelAlone) {
  std::mt19937_64 random(7);
  int reached[5] = {};
  for (unsigned mode : all_modes())
    for (int i = 0; i < 10000; ++i) {
      if (mode != 0 && i == 200)
        break;
      const FunnelShape shape{mode, 4, static_cast<std::int64_t>(random() % 6)};
      State funnel;
      for (const FunnelEvent &row : random_rows(random, 12, 4, 1 + random() % 12))
        funnel.add(shape, row.time, row.steps);
      const unsigned level = funnel.level();
      ASSERT_EQ(level, funnel.match().level) << "mode " << mode;
      ++reached[level];
    }
  for (int count : reached)
    EXPECT_GT(count, 100);
}

TEST(WindowFunnel, RefusesMixedShapesAndTooManyRows) {
  auto refuses = [](const FunnelShape &first, const FunnelShape &second) {
    State a, b;
    a.add(first, 0, 1);
    b.add(second, 0, 1);
    EXPECT_THROW(a.add(second, 0, 1), Error);
    EXPECT_THROW(a.merge(b), Error);
  };
  refuses({0, 2, 5}, {0, 2, 6});
  refuses({0, 2, 5}, {0, 3, 5});
  refuses({0, 2, 5}, {strict_once, 2, 5});
  EXPECT_THROW(State().add({0, 0, 5}, 0, 0), Error);
  EXPECT_THROW(State().add({0, 33, 5}, 0, 0), Error);
  EXPECT_THROW(State().add({0, 2, -1}, 0, 0), Error);

  State full;
  for (std::size_t i = 0; i < WindowFunnel::max_events; ++i)
    full.add({0, 1, 0}, 0, 1);
  State one;
  one.add({0, 1, 0}, 0, 1);
  for (int merge = 0; merge < 2; ++merge)
    try {
      merge != 0 ? full.merge(one) : full.add({0, 1, 0}, 0, 1);
      ADD_FAILURE();
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::limit_exceeded);
    }
}

TEST(WindowFunnel, RefusesBytesThatAreNoState) {
  State good;
  good.add({strict_order, 3, 7}, 5, 3);
  good.add({strict_order, 3, 7}, 6, 4);
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
      EXPECT_LE(state.match().level, 3U);
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupted);
      ++refused;
    }
  }
  EXPECT_GT(refused, 40000);
  EXPECT_LT(refused, 95000);
}

} // namespace
} // namespace brainsait::core
