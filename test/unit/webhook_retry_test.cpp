#include "core/webhook_retry.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace brainsait::core {
namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t hour = 3600 * second;

DeliveryVerdict judge(int status, int failures = 0, std::optional<std::int64_t> retry_after = {},
                      double random = 0.5) {
  return judge_delivery({status, failures, retry_after}, random);
}

TEST(DeliveryVerdict, SuccessIsDelivered) {
  for (int status = 200; status <= 299; ++status)
    for (int failures : {0, 5, 100})
      EXPECT_EQ(judge(status, failures).outcome, DeliveryOutcome::delivered) << status;
}

TEST(DeliveryVerdict, ClientErrorsAreDeadAtOnceButForTwo) {
  for (int status = 400; status <= 499; ++status) {
    DeliveryVerdict verdict = judge(status);
    bool again = status == 408 || status == 429;
    EXPECT_EQ(verdict.outcome, again ? DeliveryOutcome::retried : DeliveryOutcome::dead) << status;
    EXPECT_EQ(verdict.disables_endpoint, status == 410) << status;
  }
}

TEST(DeliveryVerdict, EverythingElseFollowsTheSchedule) {
  const double minutes[] = {5, 30, 120, 720, 1440};
  for (int status : {0, 100, 101, 199, 301, 302, 304, 399, 408, 429, 500, 502, 503, 504, 599}) {
    for (int failures = 0; failures < 5; ++failures) {
      DeliveryVerdict verdict = judge(status, failures);
      EXPECT_EQ(verdict.outcome, DeliveryOutcome::retried);
      EXPECT_NEAR(static_cast<double>(verdict.delay) / (60 * second), minutes[failures], 1e-6);
      EXPECT_FALSE(verdict.disables_endpoint);
    }
    EXPECT_EQ(judge(status, 5).outcome, DeliveryOutcome::dead);
    EXPECT_EQ(judge(status, 6).outcome, DeliveryOutcome::dead);
    EXPECT_EQ(judge(status, std::numeric_limits<int>::max() - 1).outcome, DeliveryOutcome::dead);
    EXPECT_EQ(judge(status, -3).outcome, DeliveryOutcome::retried);
  }
}

TEST(DeliveryVerdict, JitterIsATenthEitherWay) {
  for (double random : {0.0, 0.25, 0.75, 0.999999}) {
    double minutes = static_cast<double>(judge(500, 0, {}, random).delay) / (60 * second);
    EXPECT_NEAR(minutes, 5 * (0.9 + 0.2 * random), 1e-6);
    EXPECT_GE(minutes, 4.5);
    EXPECT_LT(minutes, 5.5);
  }
}

TEST(DeliveryVerdict, RetryAfterIsHonouredWithinBounds) {
  for (int status : {429, 503}) {
    EXPECT_EQ(judge(status, 0, 90 * second, 0).delay, 90 * second);
    EXPECT_EQ(judge(status, 4, 90 * second, 0).delay, 90 * second);
    EXPECT_NEAR(static_cast<double>(judge(status, 0, 100 * second, 0.999999).delay), 110e6, 1e3);
    EXPECT_EQ(judge(status, 0, 0, 0).delay, second);
    EXPECT_EQ(judge(status, 0, -5 * hour, 0).delay, second);
    EXPECT_EQ(judge(status, 0, std::numeric_limits<std::int64_t>::min(), 0).delay, second);
    EXPECT_EQ(judge(status, 0, 25 * hour, 0).delay, 24 * hour);
    EXPECT_EQ(judge(status, 0, std::numeric_limits<std::int64_t>::max(), 0).delay, 24 * hour);
    EXPECT_EQ(judge(status, 5, 90 * second, 0).outcome, DeliveryOutcome::dead);
  }
  EXPECT_NEAR(static_cast<double>(judge(500, 0, 90 * second).delay), 300e6, 1);
  EXPECT_NEAR(static_cast<double>(judge(408, 0, 90 * second).delay), 300e6, 1);
}

} // namespace
} // namespace brainsait::core
