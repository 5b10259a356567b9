#include "core/quantile_sketch.hpp"

#include "stored_state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace {

using namespace brainsait::core;
using namespace brainsait::test;
using Values = std::vector<double>;

constexpr double infinity = std::numeric_limits<double>::infinity();

QuantileSketch sketch_of(const Values &values, double relative_error = 0.01) {
  QuantileSketch sketch(memory());
  sketch.set_relative_error(relative_error);
  for (double value : values)
    sketch.add(value);
  return sketch;
}

TEST(QuantileMapping, OneValueStandsForABucket) {
  std::mt19937_64 random(1);
  for (double error : {0.001, 0.0042, 0.01, 0.05, 0.1, 0.333, 0.5}) {
    const QuantileMapping mapping(error);
    for (int round = 0; round < 5000; ++round) {
      auto value = std::bit_cast<double>(random());
      if (!std::isnormal(value))
        continue;
      std::int32_t key = mapping.key(value);
      double low = mapping.lower(key), high = mapping.upper(key);
      ASSERT_LE(low, value);
      ASSERT_GE(high, value);
      ASSERT_EQ(mapping.key(low), key);
      ASSERT_EQ(mapping.key(high), key);
      ASSERT_EQ(mapping.key(-value), -key);
      // Without rounding: the ends are the worst.
      for (double end : {low, high})
        ASSERT_LE(std::abs((long double)mapping.value(key) - end),
                  error * std::abs((long double)end));
      ASSERT_LT(mapping.key(low), mapping.key(std::nextafter(high, infinity)));
      ASSERT_GT(mapping.key(high), mapping.key(std::nextafter(low, -infinity)));
    }
    // Not many more buckets than the logarithm itself would need (1 % more; rounding apart).
    double buckets = mapping.key(1e12) - mapping.key(1e-12);
    EXPECT_LE(buckets, 1.011 * std::log(1e24) / std::log((1 + error) / (1 - error)) + 2);
  }
}

TEST(QuantileMapping, KeysAscendWithTheValues) {
  const QuantileMapping mapping(0.01);
  std::mt19937_64 random(2);
  Values values{-infinity,
                std::numeric_limits<double>::lowest(),
                -1,
                -5e-324,
                0,
                5e-324,
                2.2e-308,
                1,
                std::nextafter(2.0, 0),
                2,
                std::numeric_limits<double>::max(),
                infinity};
  for (int round = 0; round < 200'000; ++round) {
    auto value = std::bit_cast<double>(random());
    if (!std::isnan(value))
      values.push_back(value);
    values.push_back(std::ldexp(1.0 + double(random() % 1000) * 1e-13, int(random() % 7)));
  }
  std::sort(values.begin(), values.end());
  for (std::size_t i = 1; i < values.size(); ++i)
    ASSERT_LE(mapping.key(values[i - 1]), mapping.key(values[i])) << values[i];
  EXPECT_EQ(mapping.key(-0.0), 0);
  EXPECT_EQ(mapping.key(5e-324), 1);
  EXPECT_EQ(mapping.key(std::numeric_limits<double>::max()), mapping.max_finite());
  EXPECT_EQ(mapping.key(infinity), mapping.max_finite() + 1);
  EXPECT_EQ(mapping.key(-infinity), mapping.min_key());
  EXPECT_EQ(mapping.key(std::nan("")), mapping.max_key());
  EXPECT_EQ(mapping.key(-std::nan("")), mapping.max_key());
  EXPECT_TRUE(std::isnan(mapping.value(mapping.max_key())));
  EXPECT_EQ(mapping.value(mapping.min_key()), -infinity);
  EXPECT_EQ(mapping.value(mapping.key(infinity)), infinity);
  EXPECT_THROW(QuantileMapping(0.0009), Error);
  EXPECT_THROW(QuantileMapping(0.51), Error);
  EXPECT_THROW(QuantileMapping(std::nan("")), Error);
}

/// Twenty shapes of data, each a function of a source of randomness.
std::vector<std::function<double(std::mt19937_64 &)>> distributions() {
  using Random = std::mt19937_64;
  auto normal = [](Random &r) { return std::normal_distribution<>()(r); };
  auto uniform = [](Random &r) { return std::uniform_real_distribution<>()(r); };
  return {
      [=](Random &r) { return uniform(r); },
      [=](Random &r) { return uniform(r) * 1e12; },
      [=](Random &r) { return uniform(r) * 1e-12; },
      [=](Random &r) { return -uniform(r); },
      [=](Random &r) { return uniform(r) - 0.5; },
      [=](Random &r) { return normal(r); },
      [=](Random &r) { return 1000 + normal(r); },
      [=](Random &r) { return std::exp(normal(r)); },
      [=](Random &r) { return std::exp(5 * normal(r)); },
      [=](Random &r) { return -std::exp(3 * normal(r)); },
      [=](Random &r) { return std::pow(1e-12, uniform(r)) * std::pow(1e12, uniform(r)); },
      [=](Random &r) { return std::pow(uniform(r), -1 / 1.1); },
      [=](Random &r) { return r() % 3 == 0 ? 0.0 : std::exp(normal(r)); },
      [=](Random &r) { return std::round(normal(r)); },
      [=](Random &r) { return r() % 2 == 0 ? 1e-12 : 1e12; },
      [=](Random &r) { return r() % 2 == 0 ? -1e12 : -1e-12; },
      [=](Random &) { return 42.0; },
      [=](Random &) { return 0.0; },
      [=](Random &r) { return double(r() % 100) / 100; },
      [=](Random &r) { return std::round(std::exp(4 + normal(r)) * 100) / 100; },
  };
}

TEST(QuantileSketch, EveryQuantileOfTwentyDistributions) {
  std::mt19937_64 random(3);
  auto shapes = distributions();
  ASSERT_EQ(shapes.size(), 20U);
  for (std::size_t shape = 0; shape < shapes.size(); ++shape)
    for (double error : {0.001, 0.01, 0.1})
      for (std::size_t count : {1U, 2U, 33U, 3000U}) {
        Values values(count);
        for (double &value : values)
          value = shapes[shape](random);
        QuantileSketch sketch = sketch_of(values, error);
        std::sort(values.begin(), values.end());
        for (int step = 0; step <= 1000; ++step) {
          double fraction = step / 1000.0;
          double row = std::max(std::ceil(fraction * double(count)), 1.0);
          double exact = values[std::size_t(row) - 1];
          ASSERT_LE(std::abs(*sketch.percentile(fraction) - exact), error * std::abs(exact))
              << shape << " " << error << " " << count << " " << fraction;
        }
      }
}

TEST(QuantileSketch, InfinitiesAndNaNStandWhereTheySort) {
  QuantileSketch sketch = sketch_of({std::nan(""), 1, -infinity, infinity, -0.0});
  EXPECT_EQ(*sketch.percentile(0.2), -infinity);
  EXPECT_EQ(*sketch.percentile(0.4), 0);
  EXPECT_NEAR(*sketch.percentile(0.6), 1, 0.01);
  EXPECT_EQ(*sketch.percentile(0.8), infinity);
  EXPECT_TRUE(std::isnan(*sketch.percentile(1)));
  EXPECT_THROW(sketch.percentile(1.01), Error);
  EXPECT_THROW(sketch.percentile(-0.01), Error);
  EXPECT_THROW(sketch.percentile(std::nan("")), Error);
  EXPECT_FALSE(sketch_of({}).percentile(0.5).has_value());
}

TEST(QuantileSketch, MergeAndSubtract) {
  std::mt19937_64 random(4);
  auto shapes = distributions();
  for (std::size_t round = 0; round < 200; ++round) {
    Values one(random() % 400), other(random() % 400);
    for (double &value : one)
      value = shapes[random() % 20](random);
    for (double &value : other)
      value = shapes[random() % 20](random);
    Values both = one;
    both.insert(both.end(), other.begin(), other.end());
    std::shuffle(both.begin(), both.end(), random);
    QuantileSketch merged = sketch_of(one), added = sketch_of(other);
    merged.merge(added);
    EXPECT_EQ(stored(merged), stored(sketch_of(both)));
    QuantileSketch in_place = sketch_of({});
    for (double value : both)
      if (!in_place.add_in_place(value, 0.01))
        in_place.add(value);
    EXPECT_EQ(stored(in_place), stored(merged));
    EXPECT_FALSE(in_place.add_in_place(1, 0.02));
    added.merge(sketch_of(one));
    EXPECT_EQ(stored(added), stored(merged));
    EXPECT_EQ(merged.count(), std::int64_t(both.size()));
    merged.subtract(sketch_of(other));
    EXPECT_EQ(stored(merged), stored(sketch_of(one)));
    merged.subtract(sketch_of(one));
    EXPECT_EQ(stored(merged), stored(sketch_of({})));
  }
}

TEST(QuantileSketch, WhatDoesNotFitIsRefused) {
  QuantileSketch sketch = sketch_of({1, 2, 3});
  EXPECT_THROW(sketch.subtract(sketch_of({2, 2})), Error);
  EXPECT_EQ(stored(sketch), stored(sketch_of({3, 2, 1})));
  EXPECT_THROW(sketch.merge(sketch_of({1}, 0.02)), Error);
  EXPECT_THROW(sketch.subtract(sketch_of({1}, 0.02)), Error);
  EXPECT_THROW(sketch.set_relative_error(0.02), Error);
  for (double error : {0.0, -0.01, 0.6, infinity, std::nan("")}) {
    QuantileSketch unset(memory());
    EXPECT_THROW(unset.set_relative_error(error), Error);
  }
}

class CountingMemory : public std::pmr::memory_resource {
public:
  std::size_t used = 0;

private:
  void *do_allocate(std::size_t bytes, std::size_t alignment) override {
    used += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void *memory, std::size_t bytes, std::size_t alignment) override {
    used -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource &other) const noexcept override { return this == &other; }
};

// A sketch leaves its pages to the memory they came from: here a pool that is destroyed.
TEST(QuantileSketch, MemoryIsBounded) {
  for (double error : {0.01, 0.001}) {
    CountingMemory page_memory;
    std::pmr::unsynchronized_pool_resource pages(&page_memory);
    QuantileSketch sketch(&pages);
    sketch.set_relative_error(error);
    std::mt19937_64 random(5);
    for (int i = 0; i < 2'000'000; ++i)
      sketch.add(std::bit_cast<double>(random()));
    EXPECT_LE(page_memory.used, error == 0.01 ? 2'500'000U : 25'000'000U);
    std::size_t bytes = sketch.flat_size();
    EXPECT_LE(bytes, error == 0.01 ? 300'000U : 3'000'000U);
  }
}

TEST(QuantileSketch, DamagedBytes) {
  std::mt19937_64 random(6);
  for (int count : {0, 1, 20, 500}) {
    Values values(std::size_t(count), 0.0);
    for (double &value : values)
      value = distributions()[8](random) * (random() % 2 == 0 ? 1 : -1);
    expect_damage_is_refused_or_kept<QuantileSketch>(stored(sketch_of(values)));
  }
}

} // namespace
