#include "core/top_k.hpp"

#include "stored_state.hpp"

#include <map>
#include <string>

namespace {

using namespace brainsait::core;
using namespace brainsait::test;
using Wide = Decimal128::Wide;
using Totals = std::map<std::string, Wide>;

struct Row {
  std::string key;
  std::int64_t weight;
};

/// Keys drawn so that a few of them are frequent, as sales are.
std::vector<Row> rows_of(std::mt19937_64 &random, int count, int keys, bool negative) {
  std::vector<Row> rows;
  for (int i = 0; i < count; ++i) {
    double u = double(random() >> 11) * 0x1p-53;
    auto key = int(double(keys) * u * u * u);
    auto weight = std::int64_t(random() % 1000);
    if (negative && random() % 4 == 0)
      weight = -weight;
    rows.push_back({"key " + std::to_string(key), weight});
  }
  return rows;
}

TopK sketch_of(const std::vector<Row> &rows, std::int32_t k, int scale = 2) {
  TopK sketch(memory());
  sketch.set_k(k);
  for (const Row &row : rows)
    sketch.add(row.key, Decimal128(row.weight), scale);
  return sketch;
}

Totals totals_of(const std::vector<Row> &rows) {
  Totals totals;
  for (const Row &row : rows)
    totals[row.key] += row.weight;
  return totals;
}

std::vector<std::pair<std::string, Wide>> best_of(const Totals &totals, std::size_t k) {
  std::vector<std::pair<std::string, Wide>> best(totals.begin(), totals.end());
  std::stable_sort(best.begin(), best.end(),
                   [](const auto &a, const auto &b) { return a.second > b.second; });
  best.resize(std::min(k, best.size()));
  return best;
}

TEST(TopK, ExactWhileTheKeysFit) {
  std::mt19937_64 random(1);
  for (bool negative : {false, true})
    for (int keys : {1, 7, 300, 4096}) {
      auto rows = rows_of(random, 60'000, keys, negative);
      for (int k : {1, 10, 500}) {
        TopK sketch = sketch_of(rows, k);
        auto expected = best_of(totals_of(rows), std::size_t(k));
        auto found = sketch.top(memory());
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
          EXPECT_EQ(found[i].key(), expected[i].first);
          EXPECT_TRUE(found[i].weight.value() == expected[i].second);
          EXPECT_TRUE(found[i].exact());
          EXPECT_EQ(found[i].lower(), found[i].upper());
        }
      }
    }
}

/// True totals lie within the bounds, exact ones are marked rightly, and what is missing has no
/// more than its bounds.
void expect_bounds_hold(const TopK &sketch, const Totals &totals, Wide sum) {
  Totals left = totals;
  Wide widest = 0;
  for (const TopK::Entry &entry : sketch.entries()) {
    auto found = left.find(std::string(entry.key()));
    ASSERT_NE(found, left.end());
    ASSERT_TRUE(entry.lower().value() <= found->second && found->second <= entry.upper().value());
    if (entry.exact()) {
      ASSERT_TRUE(entry.weight.value() == found->second);
    }
    widest = std::max(widest, std::max(entry.above.value(), entry.below.value()));
    left.erase(found);
  }
  TopK probe(memory());
  probe.merge(sketch);
  if (!left.empty()) {
    // A key that the sketch does not hold enters with the bounds of all such keys.
    probe.add("a key that nobody has", Decimal128(), sketch.scale());
    for (const TopK::Entry &entry : probe.entries())
      if (entry.key() == "a key that nobody has") {
        for (const auto &[key, total] : left)
          ASSERT_TRUE(entry.lower().value() <= total && total <= entry.upper().value()) << key;
      }
  }
  EXPECT_TRUE(widest <= sum / Wide(sketch.max_keys() / 2)) << double(widest) << " " << double(sum);
}

TEST(TopK, BoundsContainTheTruth) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 12; ++round) {
    bool negative = round % 2 == 1;
    int keys = round % 3 == 0 ? 6000 : 40'000, count = 60'000;
    std::vector<Row> rows;
    std::vector<TopK> parts;
    for (std::uint64_t part = random() % 4 + 1; part > 0; --part) {
      auto some = rows_of(random, count, keys, negative);
      parts.push_back(sketch_of(some, 20));
      rows.insert(rows.end(), some.begin(), some.end());
    }
    for (std::size_t i = 1; i < parts.size(); ++i)
      parts[0].merge(parts[i]);
    auto totals = totals_of(rows);
    Wide sum = 0;
    for (const Row &row : rows)
      sum += std::abs(row.weight);
    ASSERT_GT(totals.size(), parts[0].max_keys());
    ASSERT_LE(parts[0].entries().size(), parts[0].max_keys());
    expect_bounds_hold(parts[0], totals, sum);
    if (!negative) {
      // The heaviest are found: they weigh more than the bounds are wide.
      auto expected = best_of(totals, 5);
      auto found = parts[0].top(memory());
      for (std::size_t i = 0; i < 5; ++i)
        EXPECT_EQ(found[i].key(), expected[i].first);
    }
  }
}

// Light keys come first, so that what is heavy enters late and is bounded by what was dropped.
TEST(TopK, HeavyKeysAfterManyLightOnes) {
  std::vector<Row> rows;
  for (int i = 0; i < 100'000; ++i)
    rows.push_back({std::to_string(i), i % 2 == 0 ? 1 : -1});
  for (int i = 0; i < 10; ++i)
    rows.push_back({std::to_string(i), 100'000});
  TopK sketch = sketch_of(rows, 10);
  expect_bounds_hold(sketch, totals_of(rows), 1'100'000);
  auto found = sketch.top(memory());
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(found[i].key().size(), 1U);
    EXPECT_FALSE(found[i].exact());
    EXPECT_TRUE(found[i].upper().value() - found[i].lower().value() <= 2 * (100'000 / 2048));
  }
}

TEST(TopK, ExactResultsDoNotDependOnTheOrder) {
  std::mt19937_64 random(3);
  auto rows = rows_of(random, 20'000, 3000, true);
  auto whole = stored(sketch_of(rows, 5));
  for (int round = 0; round < 10; ++round) {
    std::shuffle(rows.begin(), rows.end(), random);
    std::size_t cut = random() % rows.size();
    TopK one = sketch_of({rows.begin(), rows.begin() + std::ptrdiff_t(cut)}, 5);
    one.merge(sketch_of({rows.begin() + std::ptrdiff_t(cut), rows.end()}, 5));
    EXPECT_EQ(stored(one), whole);
  }
}

TEST(TopK, Scales) {
  TopK sketch(memory());
  sketch.set_k(3);
  sketch.add("a", Decimal128(5), 0);     // 5
  sketch.add("a", Decimal128(25), 2);    // 0.25
  sketch.add("b", Decimal128(-1), 1);    // -0.1
  sketch.add("a", Decimal128(12345), 4); // 1.2345
  auto found = sketch.top(memory());
  EXPECT_EQ(sketch.scale(), 4);
  EXPECT_TRUE(found[0].weight.value() == 64845);
  EXPECT_TRUE(found[1].weight.value() == -1000);
}

TEST(TopK, Limits) {
  TopK sketch(memory());
  EXPECT_THROW(sketch.set_k(0), Error);
  EXPECT_THROW(sketch.set_k(10'001), Error);
  sketch.set_k(3);
  EXPECT_THROW(sketch.set_k(4), Error);
  EXPECT_THROW(sketch.merge(sketch_of({}, 4)), Error);
  EXPECT_THROW(sketch.add(std::string(8193, 'x'), Decimal128(1), 0), Error);
  Wide large = Wide{1} << 126;
  sketch.add("a", Decimal128(large), 0);
  EXPECT_THROW(sketch.add("a", Decimal128(large), 0), Error);
  auto before = stored(sketch);
  EXPECT_THROW(sketch.add("b", Decimal128(1), 1), Error); // a's total has no room for a decimal
  EXPECT_EQ(stored(sketch), before);
  TopK wide(memory());
  wide.set_k(10'000);
  auto fill = [&] {
    for (int i = 0; i < 8300; ++i) {
      std::string key(8192, 'x');
      key.replace(0, 8, std::to_string(10'000'000 + i));
      wide.add(key, Decimal128(1), 0);
    }
  };
  EXPECT_THROW(fill(), Error);
}

TEST(TopK, DamagedBytes) {
  std::mt19937_64 random(4);
  expect_damage_is_refused_or_kept<TopK>(stored(sketch_of({}, 7)), 50000);
  expect_damage_is_refused_or_kept<TopK>(stored(sketch_of(rows_of(random, 50, 20, true), 7)),
                                         50000);
  // Bounds that are not zero, too, in few keys.
  auto many = sketch_of(rows_of(random, 60'000, 40'000, true), 7);
  auto bytes = stored(many);
  EXPECT_TRUE(accepted<TopK>(bytes));
  for (int round = 0; round < 200; ++round) {
    auto damaged = bytes;
    damaged[random() % 300] ^= std::uint8_t(1U << random() % 8);
    accepted<TopK>(damaged);
  }
}

} // namespace
