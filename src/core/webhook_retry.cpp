#include "core/webhook_retry.hpp"

#include <algorithm>

namespace brainsait::core {
namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t schedule[] = {5 * minute, 30 * minute, 2 * hour, 12 * hour, 24 * hour};
static_assert(sizeof schedule / sizeof schedule[0] == most_delivery_failures - 1);

std::int64_t scaled(std::int64_t delay, double factor) noexcept {
  return static_cast<std::int64_t>(static_cast<double>(delay) * factor);
}

bool is_final(int status) noexcept {
  return status >= 400 && status <= 499 && status != 408 && status != 429;
}

} // namespace

DeliveryVerdict judge_delivery(const DeliveryAnswer &answer, double random) noexcept {
  if (answer.status >= 200 && answer.status <= 299)
    return {DeliveryOutcome::delivered};
  int failures = std::max(answer.failures, 0) + 1;
  if (is_final(answer.status) || failures >= most_delivery_failures)
    return {DeliveryOutcome::dead, 0, answer.status == 410};
  if (answer.retry_after && (answer.status == 429 || answer.status == 503)) {
    std::int64_t asked = std::clamp(*answer.retry_after, second, 24 * hour);
    return {DeliveryOutcome::retried, scaled(asked, 1 + 0.1 * random)};
  }
  return {DeliveryOutcome::retried, scaled(schedule[failures - 1], 0.9 + 0.2 * random)};
}

} // namespace brainsait::core
