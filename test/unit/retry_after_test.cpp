#include "core/retry_after.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace {

using namespace brainsait::core;

// RFC 9110's example date, of which `date -u -d 'Sun, 06 Nov 1994 08:49:37 GMT' +%s` says this.
constexpr std::int64_t example = 784111777;

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("0", example), 0);
  EXPECT_EQ(parse_retry_after("120", example), 120);
  EXPECT_EQ(parse_retry_after(" \t007 ", example), 7);
  EXPECT_EQ(parse_retry_after("86400", example), longest_retry_after);
  EXPECT_EQ(parse_retry_after("86401", example), longest_retry_after);
  EXPECT_EQ(parse_retry_after(std::string(1000, '9'), example), longest_retry_after);
}

TEST(RetryAfter, ThreeFormsOfOneDate) {
  for (const char *date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_retry_after(date, example - 90), 90) << date;
    EXPECT_EQ(parse_retry_after(date, example), 0) << date;
    EXPECT_EQ(parse_retry_after(date, example + 90), 0) << date;
    EXPECT_EQ(parse_retry_after(date, example - 90000), longest_retry_after) << date;
  }
}

// Moments of ten years, as the C library writes them, are read as what they were.
TEST(RetryAfter, DatesOfTheCLibrary) {
  for (std::int64_t moment = 1'700'000'000; moment < 2'015'000'000; moment += 36'007) {
    const std::time_t time = moment;
    std::tm parts = {};
    gmtime_r(&time, &parts);
    char text[64];
    for (const char *format :
         {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
      ASSERT_GT(std::strftime(text, sizeof text, format, &parts), 0U);
      ASSERT_EQ(parse_retry_after(text, moment - 1234), 1234) << text;
    }
  }
}

TEST(RetryAfter, YearsOfTwoDigitsAreNear) {
  // 2049-12-31 23:59:00 and 2050-01-01 00:00:00.
  EXPECT_EQ(parse_retry_after("Saturday, 01-Jan-50 00:00:00 GMT", 2524607940), 60);
  // 1999-12-31 23:59:00.
  EXPECT_EQ(parse_retry_after("Saturday, 01-Jan-00 00:00:00 GMT", 946684740), 60);
  // In 2026, 99 was 1999.
  EXPECT_EQ(parse_retry_after("Friday, 31-Dec-99 23:59:59 GMT", 1'790'000'000), 0);
}

TEST(RetryAfter, LeapDaysAndSeconds) {
  EXPECT_EQ(parse_retry_after("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 - 5), 5);
  EXPECT_EQ(parse_retry_after("Wed, 29 Feb 2023 00:00:00 GMT", 0), std::nullopt);
  EXPECT_EQ(parse_retry_after("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 - 5), 5);
}

TEST(RetryAfter, WhatIsNeither) {
  for (const char *text : {"",
                           " ",
                           "-1",
                           "+1",
                           "1.5",
                           "1s",
                           "soon",
                           "0x10",
                           "1 2",
                           "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 Nov 1994 08:60:37 GMT",
                           "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nox 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 GMT, 1",
                           "Nov  6 08:49:37 1994",
                           "Sun Nov 06  08:49:37 1994"})
    EXPECT_EQ(parse_retry_after(text, 0), std::nullopt) << text;
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", -1), std::nullopt);
}

} // namespace
