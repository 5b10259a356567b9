#include "core/error.hpp"
#include "core/order_number_code.hpp"
#include "core/siphash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;

CodeKey random_key(std::mt19937_64 &random) {
  CodeKey key;
  for (auto &byte : key)
    byte = static_cast<std::uint8_t>(random());
  return key;
}

std::uint64_t domain_of(unsigned width) { return std::uint64_t{1} << (5 * width); }

// The reference implementation's test vector for the eight bytes 00..07 under the key 00..0f.
TEST(SipHash, PublishedVector) {
  EXPECT_EQ(siphash(0x0706050403020100U, 0x0f0e0d0c0b0a0908U, 0x0706050403020100U),
            0x93f5f5799a932462U);
}

TEST(CodePermutation, IsABijectionOfEverySmallDomain) {
  std::mt19937_64 random(1);
  for (unsigned width = 1; width <= 4; ++width) {
    const std::uint64_t domain = domain_of(width);
    const int keys = width == 4 ? 2 : 8;
    for (int i = 0; i < keys; ++i) {
      const CodePermutation permutation(random_key(random), width);
      std::vector<bool> seen(domain);
      for (std::uint64_t index = 0; index < domain; ++index) {
        const std::uint64_t value = permutation(index);
        ASSERT_LT(value, domain);
        ASSERT_FALSE(seen[value]) << "width " << width << ", value " << value << " twice";
        seen[value] = true;
      }
    }
  }
}

TEST(CodePermutation, IsInjectiveOnSamplesOfLargeDomains) {
  std::mt19937_64 random(2);
  for (unsigned width = 5; width <= max_code_width; ++width) {
    const CodePermutation permutation(random_key(random), width);
    std::set<std::uint64_t> indexes;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      indexes.insert(i);
      indexes.insert(domain_of(width) - 1 - i);
      indexes.insert(random() % domain_of(width));
    }
    std::vector<std::uint64_t> values;
    for (const std::uint64_t index : indexes) {
      values.push_back(permutation(index));
      ASSERT_LT(values.back(), domain_of(width));
    }
    std::sort(values.begin(), values.end());
    EXPECT_EQ(std::adjacent_find(values.begin(), values.end()), values.end());
  }
}

// Neither order nor distance of indexes shows: neighbours rise as often as they fall, and every
// first character is as frequent as any other. Bounds are six standard deviations.
TEST(CodePermutation, HidesTheOrderOfIndexes) {
  std::mt19937_64 random(3);
  const CodePermutation permutation(random_key(random), 6);
  constexpr int samples = 32'000;
  int rising = 0;
  std::array<int, 32> first{};
  for (std::uint64_t index = 0; index < samples; ++index) {
    rising += permutation(index) < permutation(index + 1) ? 1 : 0;
    ++first[permutation(index) >> 25];
  }
  EXPECT_NEAR(rising, samples / 2, 6 * 90);
  for (const int count : first)
    EXPECT_NEAR(count, samples / 32, 6 * 31);
}

TEST(CodePermutation, DependsOnEveryByteOfTheKeyAndOnTheWidth) {
  std::mt19937_64 random(4);
  const CodeKey key = random_key(random);
  const auto row = [](const CodePermutation &permutation) {
    std::vector<std::uint64_t> values;
    for (std::uint64_t index = 0; index < 16; ++index)
      values.push_back(permutation(index));
    return values;
  };
  const auto original = row(CodePermutation(key, 4));
  EXPECT_EQ(row(CodePermutation(key, 4)), original);
  EXPECT_NE(row(CodePermutation(key, 5)), original);
  for (std::size_t i = 0; i < key.size(); ++i) {
    CodeKey changed = key;
    changed[i] ^= 1;
    EXPECT_NE(row(CodePermutation(changed, 4)), original) << "byte " << i;
  }
}

TEST(CodeEncoder, GrowsWithTheIndexAndNeverRepeats) {
  std::mt19937_64 random(5);
  const CodeEncoder encoder(random_key(random));
  std::set<std::string> codes;
  // One tenant asks for one character, another for two; both draw from one sequence.
  for (std::uint64_t index = 0; index < 40'000; ++index) {
    const unsigned minimum = index % 2 == 0 ? 1 : 2;
    const CodeText code = encoder.encode(index, minimum);
    unsigned digits = 1; // by repeated division, unlike the code under test
    for (std::uint64_t rest = index / 32; rest != 0; rest /= 32)
      ++digits;
    ASSERT_EQ(code.view().size(), std::max(minimum, digits)) << index;
    ASSERT_TRUE(codes.emplace(code.view()).second) << index;
    for (const char c : code.view())
      ASSERT_NE(std::string("0123456789ABCDEFGHJKMNPQRSTVWXYZ").find(c), std::string::npos);
  }
}

TEST(CodeEncoder, Boundaries) {
  const CodeEncoder encoder(CodeKey{});
  EXPECT_EQ(encoder.encode(0, 1).view().size(), 1U);
  EXPECT_EQ(encoder.encode(31, 1).view().size(), 1U);
  EXPECT_EQ(encoder.encode(32, 1).view().size(), 2U);
  EXPECT_EQ(encoder.encode(0, 12).view().size(), 12U);
  EXPECT_EQ(encoder.encode(code_index_end - 1, 1).view().size(), 12U);
  EXPECT_EQ(code_index_end, 1'152'921'504'606'846'976U); // 32^12
  EXPECT_THROW(encoder.encode(code_index_end, 1), Error);
  EXPECT_THROW(encoder.encode(0, 13), Error);
}

} // namespace
