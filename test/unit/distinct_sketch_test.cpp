#include "core/distinct_sketch.hpp"
#include "core/value_hash.hpp"

#include "stored_state.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

namespace {

using namespace brainsait::core;
using namespace brainsait::test;

// Measuring takes a thousand million steps, some 3 seconds.
#if defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer);
#else
constexpr bool sanitized = false;
#endif

constexpr HashFamily family = HashFamily::integers;

DistinctSketch empty_sketch() { return DistinctSketch(memory()); }

/// What a register says of a set of levels, by its definition.
std::uint8_t register_of(const std::set<int> &levels) {
  if (levels.empty())
    return 0;
  int highest = *levels.rbegin();
  return std::uint8_t(4 * highest + 2 * int(levels.count(highest - 1)) +
                      int(levels.count(highest - 2)));
}

std::uint64_t hash_of_level(int level, std::uint64_t noise) {
  if (level == 54)
    return 0;
  std::uint64_t rest = (std::uint64_t{1} << 63) >> (level - 1);
  rest |= noise & (rest - 1);
  return rest >> 11;
}

TEST(UltraLogLog, RegistersAreFunctionsOfTheLevels) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::set<int> levels, others;
    UltraLogLog one{}, other{}, both{};
    int range = round % 2 == 0 ? 54 : 5;
    for (std::uint64_t i = random() % 8; i > 0; --i) {
      int level = 1 + int(random() % std::uint64_t(range)), shift = 54 - range;
      level += round % 3 == 0 ? shift : 0;
      std::uint64_t hash = hash_of_level(level, random());
      bool first = random() % 2 == 0;
      (first ? levels : others).insert(level);
      ultraloglog_add(first ? one : other, hash);
      ultraloglog_add(both, hash);
    }
    EXPECT_EQ(one[0], register_of(levels));
    EXPECT_EQ(other[0], register_of(others));
    std::set<int> all = levels;
    all.insert(others.begin(), others.end());
    EXPECT_EQ(both[0], register_of(all));
    EXPECT_EQ(ultraloglog_merged(one[0], other[0]), both[0]);
  }
  std::set<int> possible{0};
  for (int highest = 1; highest <= 54; ++highest)
    for (bool one_below : {false, highest > 1})
      for (bool two_below : {false, highest > 2}) {
        std::set<int> levels{highest};
        if (one_below)
          levels.insert(highest - 1);
        if (two_below)
          levels.insert(highest - 2);
        possible.insert(register_of(levels));
      }
  for (int value = 0; value < 256; ++value)
    EXPECT_EQ(ultraloglog_possible(std::uint8_t(value)), possible.count(value) == 1) << value;
}

/// The logarithm of the probability of a register's value, from the definition, where the number
/// of hashes of level k is Poisson with mean rate * 2^-k.
double log_probability(std::uint8_t value, double rate) {
  int highest = value >> 2;
  double sum = 0;
  for (int level = 1; level <= 54; ++level) {
    double mean = rate * std::ldexp(1.0, -std::min(level, 53));
    bool seen = level == highest || (level == highest - 1 && (value & 2) != 0) ||
                (level == highest - 2 && (value & 1) != 0);
    if (seen)
      sum += std::log(-std::expm1(-mean));
    else if (level >= highest - 2)
      sum -= mean;
  }
  return sum;
}

TEST(UltraLogLog, EstimateIsTheMaximumOfTheLikelihood) {
  std::mt19937_64 random(2);
  for (std::uint64_t count : {1U, 5U, 300U, 2000U, 50'000U, 3'000'000U}) {
    UltraLogLog registers{};
    for (std::uint64_t i = 0; i < count; ++i)
      ultraloglog_add(registers, random());
    auto likelihood = [&](double rate) {
      double sum = 0;
      for (std::uint8_t value : registers)
        sum += log_probability(value, rate);
      return sum;
    };
    double rate = ultraloglog_estimate(registers) / 2048 * (1 + 0.48147376527720065 / 2048);
    // Golden section search, over the logarithm.
    double low = std::log(1e-5), high = std::log(1e5);
    while (high - low > 1e-6) {
      double a = high - (high - low) * 0.6180339887, b = low + (high - low) * 0.6180339887;
      (likelihood(std::exp(a)) < likelihood(std::exp(b)) ? low : high) =
          likelihood(std::exp(a)) < likelihood(std::exp(b)) ? a : b;
    }
    EXPECT_NEAR(rate / std::exp(low), 1, 1e-4) << count; // flat at its top
  }
}

TEST(UltraLogLog, ExtremesHaveEstimates) {
  UltraLogLog registers{};
  EXPECT_EQ(ultraloglog_estimate(registers), 0);
  registers.fill(54 * 4 + 3);
  EXPECT_TRUE(std::isinf(ultraloglog_estimate(registers)));
  registers[0] = 54 * 4 + 2;
  EXPECT_GT(ultraloglog_estimate(registers), 1e18);
}

/// Root mean square error and bias over many runs, measured on the way from 1,000 to 1,000,000
/// values. BRAINSAIT_SEEDS sets the number of runs that go all the way.
TEST(DistinctSketch, ErrorAndBias) {
  const char *given = std::getenv("BRAINSAIT_SEEDS");
  const int default_long = sanitized ? 0 : 1000;
  const int long_runs = given != nullptr ? std::atoi(given) : default_long;
  constexpr int runs = 1000;
  constexpr int marks[] = {300, 1000, 10'000, 100'000, 1'000'000};
  double squares[5] = {}, sums[5] = {};
  for (int run = 0; run < runs; ++run) {
    DistinctSketch sketch = empty_sketch();
    int value = 0;
    for (int mark = 0; mark < (run < long_runs ? 5 : 4); ++mark) {
      for (; value < marks[mark]; ++value)
        sketch.add(family, mix64(std::uint64_t(value) << 20 ^ std::uint64_t(run)));
      double error = double(sketch.count()) / marks[mark] - 1;
      squares[mark] += error * error;
      sums[mark] += error;
    }
  }
  for (int mark = 0; mark < 5; ++mark) {
    int measured = mark < 4 ? runs : long_runs;
    if (measured == 0)
      continue;
    double error = std::sqrt(squares[mark] / measured), bias = sums[mark] / measured;
    std::printf("%9d values, %4d runs: root mean square error %.3f %%, bias %+.3f %%\n",
                marks[mark], measured, 100 * error, 100 * bias);
    // With fewer runs the measure itself swings by more.
    EXPECT_LE(error, measured < 1000 ? 0.021 : 0.018);
    EXPECT_LE(std::abs(bias), measured < 1000 ? 0.005 : 0.002);
  }
}

TEST(DistinctSketch, ExactUpTo256) {
  DistinctSketch sketch = empty_sketch();
  EXPECT_EQ(sketch.count(), 0);
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> values(256);
  for (std::uint64_t &value : values)
    value = random() << (random() % 2 * 40); // many equal low bits
  values[100] = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sketch.add(family, values[i]);
    sketch.add(family, values[random() % (i + 1)]);
    ASSERT_EQ(sketch.count(), std::int64_t(i + 1));
  }
  EXPECT_TRUE(sketch.exact());
  sketch.add(family, 4711);
  EXPECT_FALSE(sketch.exact());
  EXPECT_NEAR(double(sketch.count()), 257, 257 * 0.05);
}

TEST(DistinctSketch, BytesDependOnTheSetAlone) {
  std::mt19937_64 random(4);
  for (std::size_t count : {0U, 1U, 30U, 256U, 257U, 300U, 5000U}) {
    std::vector<std::uint64_t> values(count);
    for (std::uint64_t &value : values)
      value = mix64(random());
    DistinctSketch whole = empty_sketch();
    for (std::uint64_t value : values)
      whole.add(family, value);
    DistinctSketch in_place = empty_sketch();
    for (std::uint64_t value : values)
      for (int twice = 0; twice < 2; ++twice) {
        bool done = in_place.add_in_place(family, value);
        EXPECT_TRUE(done || twice == 0);
        if (!done)
          in_place.add(family, value);
      }
    EXPECT_EQ(stored(in_place), stored(whole));
    EXPECT_FALSE(in_place.add_in_place(HashFamily::uuids, 1));
    for (int round = 0; round < 10; ++round) {
      std::vector<DistinctSketch> parts;
      for (std::uint64_t i = 1 + random() % 6; i > 0; --i)
        parts.push_back(empty_sketch());
      std::shuffle(values.begin(), values.end(), random);
      for (std::uint64_t value : values)
        for (std::uint64_t times = 1 + random() % 2; times > 0; --times)
          parts[random() % parts.size()].add(family, value);
      std::vector<std::uint64_t> again(values.begin(), values.begin() + std::ptrdiff_t(count / 3));
      for (std::uint64_t value : again) // every value is somewhere, some twice
        parts[random() % parts.size()].add(family, value);
      while (parts.size() > 1) {
        std::swap(parts[random() % parts.size()], parts.back());
        DistinctSketch last = std::move(parts.back());
        parts.pop_back();
        parts[random() % parts.size()].merge(last);
      }
      EXPECT_EQ(stored(parts[0]), stored(whole)) << count;
    }
  }
}

TEST(DistinctSketch, FamiliesDoNotMix) {
  DistinctSketch numbers = empty_sketch(), texts = empty_sketch(), nothing = empty_sketch();
  numbers.add(HashFamily::integers, 1);
  texts.add(HashFamily::bytes, 1);
  EXPECT_THROW(numbers.add(HashFamily::bytes, 2), Error);
  EXPECT_THROW(numbers.merge(texts), Error);
  numbers.merge(nothing);
  nothing.merge(texts);
  EXPECT_EQ(nothing.family(), HashFamily::bytes);
  EXPECT_EQ(numbers.count(), 1);
}

TEST(DistinctSketch, DamagedBytes) {
  std::mt19937_64 random(5);
  for (int count : {0, 1, 12, 256, 1000}) {
    DistinctSketch sketch = empty_sketch();
    for (int i = 0; i < count; ++i)
      sketch.add(family, random());
    expect_damage_is_refused_or_kept<DistinctSketch>(stored(sketch));
  }
}

} // namespace
