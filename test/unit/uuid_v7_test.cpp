#include "core/uuid_v7.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>

namespace {

using brainsait::core::UuidBytes;
using brainsait::core::UuidV7Generator;
using Random = std::array<std::uint8_t, 8>;

std::string text_of(const UuidBytes &uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02X", uuid[i]);
    text += digits;
    if (i == 3 || i == 5 || i == 7 || i == 9)
      text += '-';
  }
  return text;
}

std::uint64_t milliseconds_of(const UuidBytes &uuid) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 6; ++i)
    value = value << 8 | uuid[i];
  return value;
}

unsigned fraction_of(const UuidBytes &uuid) { return (uuid[6] & 0x0FU) << 8 | uuid[7]; }

// RFC 9562, appendix A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F gives
// 017F22E2-79B0-7CC3-98C4-DC0C0C07398F. Under method 3 rand_a is the fraction: 0xCC3 of 4096 parts
// of a millisecond, whose first nanosecond is ceil(3267 * 10^6 / 4096) = 797608.
TEST(UuidV7, ExampleOfTheStandard) {
  UuidV7Generator generator;
  const Random random = {0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
  const std::int64_t milliseconds = 0x017F22E279B0;
  EXPECT_EQ(text_of(generator.next(milliseconds * 1'000'000 + 797'608, random)),
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  UuidV7Generator earlier;
  EXPECT_EQ(text_of(earlier.next(milliseconds * 1'000'000 + 797'607, random)),
            "017F22E2-79B0-7CC2-98C4-DC0C0C07398F");
}

TEST(UuidV7, VersionVariantAndRandomBits) {
  for (unsigned value : {0x00U, 0xFFU, 0xA5U}) {
    UuidV7Generator generator;
    Random random;
    random.fill(static_cast<std::uint8_t>(value));
    UuidBytes uuid = generator.next(1'000'000'000, random);
    EXPECT_EQ(uuid[6] >> 4, 7);
    EXPECT_EQ(uuid[8] >> 6, 2);
    EXPECT_EQ(uuid[8] & 0x3FU, value & 0x3FU);
    for (std::size_t i = 9; i < 16; ++i)
      EXPECT_EQ(uuid[i], value);
  }
}

TEST(UuidV7, EdgesOfTheMillisecondAndOfTime) {
  UuidV7Generator generator;
  UuidBytes uuid = generator.next(1'000'000 - 1, Random{});
  EXPECT_EQ(milliseconds_of(uuid), 0U);
  EXPECT_EQ(fraction_of(uuid), 4095U);
  uuid = generator.next(1'000'000, Random{});
  EXPECT_EQ(milliseconds_of(uuid), 1U);
  EXPECT_EQ(fraction_of(uuid), 0U);
  uuid = generator.next(INT64_MAX, Random{});
  EXPECT_EQ(milliseconds_of(uuid), 9'223'372'036'854U);
  UuidV7Generator before_1970;
  EXPECT_EQ(milliseconds_of(before_1970.next(INT64_MIN, Random{})), 0U);
}

TEST(UuidV7, StandingClockCountsOnIntoTheNextMillisecond) {
  UuidV7Generator generator;
  UuidBytes last = generator.next(5'000'000, Random{});
  for (int i = 1; i <= 5000; ++i) {
    UuidBytes uuid = generator.next(5'000'000, Random{});
    EXPECT_LT(last, uuid);
    last = uuid;
  }
  EXPECT_EQ(milliseconds_of(last), 6U);
  EXPECT_EQ(fraction_of(last), 5000U - 4096U);
}

TEST(UuidV7, IncreasesStrictlyUnderAnyClock) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    UuidV7Generator generator;
    std::int64_t clock = 1'700'000'000'000'000'000;
    UuidBytes last{};
    std::int64_t highest = 0;
    for (int i = 0; i < 10'000; ++i) {
      const std::uint64_t reach = std::uint64_t{1} << (random() % 45);
      const auto jump = static_cast<std::int64_t>(random() % reach);
      clock += random() % 2 == 0 ? jump : -jump;
      highest = std::max(highest, clock);
      Random bits;
      for (auto &byte : bits)
        byte = static_cast<std::uint8_t>(random());
      UuidBytes uuid = generator.next(clock, bits);
      ASSERT_LT(last, uuid);
      // Never runs ahead of the latest time seen by more than the values that were asked for.
      ASSERT_LE(milliseconds_of(uuid), static_cast<std::uint64_t>(highest) / 1'000'000 + 3);
      last = uuid;
    }
  }
}

} // namespace
