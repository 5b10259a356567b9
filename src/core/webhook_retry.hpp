#pragma once

#include <cstdint>
#include <optional>

namespace brainsait::core {

/// How one attempt to deliver a webhook ended.
struct DeliveryAnswer {
  int status = 0;   ///< of the HTTP response, 0 where there was none
  int failures = 0; ///< failed attempts before this one, since the delivery was written or replayed
  std::optional<std::int64_t> retry_after; ///< what the response asked for, in microseconds
};

enum class DeliveryOutcome : std::uint8_t {
  delivered, ///< answered with 2xx
  retried,   ///< to be attempted again after the delay
  dead,      ///< not attempted again, unless it is replayed
};

struct DeliveryVerdict {
  DeliveryOutcome outcome = DeliveryOutcome::dead;
  std::int64_t delay = 0;         ///< microseconds until the next attempt, where it is retried
  bool disables_endpoint = false; ///< the endpoint said that it is gone for good (410)
};

/// A delivery fails this often, and is dead.
constexpr int most_delivery_failures = 6;

/// What becomes of a delivery. 2xx delivers it. 4xx other than 408 and 429 ends it, since trying
/// again does not change it. Everything else is tried again 5 minutes, 30 minutes, 2 hours, 12
/// hours and 24 hours after the first to fifth failure, each a tenth more or less by `random`,
/// which is uniform in [0, 1): endpoints that come back are not met by everything at once. A
/// Retry-After with 429 or 503 takes the place of that, within one second and 24 hours, and up to a
/// tenth later: never earlier than asked for.
DeliveryVerdict judge_delivery(const DeliveryAnswer &answer, double random) noexcept;

} // namespace brainsait::core
