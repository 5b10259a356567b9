#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace brainsait::core {

/// The events that changes of the store's own rows are.
enum class WebhookEvent : std::uint8_t {
  order_created,
  order_updated,
  order_cancelled,
  order_shipped,
  payment_completed,
  payment_failed,
  payment_refunded,
  user_created,
  user_updated,
  user_deleted,
  tenant_created,
  tenant_updated,
  tenant_suspended,
};
constexpr std::size_t webhook_event_count = 13;

/// An event's name, as endpoints subscribe to it: `order.created`.
std::string_view webhook_event_name(WebhookEvent event) noexcept;

/// A set of those events: bit n stands for the event with the value n.
using WebhookEventSet = std::uint32_t;
constexpr WebhookEventSet webhook_event_bit(WebhookEvent event) noexcept {
  return WebhookEventSet(1) << static_cast<unsigned>(event);
}

/// Whether an endpoint that subscribed to `pattern` is sent events of `type`: the pattern is that
/// very name, or `*`, or ends in `.*` and the name goes on after what stands before the star.
bool webhook_pattern_matches(std::string_view pattern, std::string_view type) noexcept;

/// The store's own events that a pattern matches.
WebhookEventSet webhook_events_matching(std::string_view pattern) noexcept;

/// Whether an application may emit an event of that name: words of letters, digits, `_` and `-`,
/// joined by dots, of at most 100 characters altogether.
bool is_webhook_event_type(std::string_view type) noexcept;

} // namespace brainsait::core
