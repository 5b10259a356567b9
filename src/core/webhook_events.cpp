#include "core/webhook_events.hpp"

namespace brainsait::core {
namespace {

constexpr std::string_view names[] = {
    "order.created",  "order.updated",    "order.cancelled",  "order.shipped", "payment.completed",
    "payment.failed", "payment.refunded", "user.created",     "user.updated",  "user.deleted",
    "tenant.created", "tenant.updated",   "tenant.suspended",
};
static_assert(sizeof names / sizeof names[0] == webhook_event_count);

constexpr std::size_t longest_type = 100;

constexpr bool is_word_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

} // namespace

std::string_view webhook_event_name(WebhookEvent event) noexcept {
  return names[static_cast<std::size_t>(event)];
}

bool webhook_pattern_matches(std::string_view pattern, std::string_view type) noexcept {
  if (pattern == type || pattern == "*")
    return true;
  if (!pattern.ends_with(".*"))
    return false;
  pattern.remove_suffix(1);
  return type.size() > pattern.size() && type.starts_with(pattern);
}

WebhookEventSet webhook_events_matching(std::string_view pattern) noexcept {
  WebhookEventSet matching = 0;
  for (std::size_t i = 0; i < webhook_event_count; ++i)
    if (webhook_pattern_matches(pattern, names[i]))
      matching |= WebhookEventSet(1) << i;
  return matching;
}

bool is_webhook_event_type(std::string_view type) noexcept {
  if (type.size() > longest_type)
    return false;
  bool in_word = false;
  for (char c : type) {
    if (is_word_character(c))
      in_word = true;
    else if (c == '.' && in_word)
      in_word = false;
    else
      return false;
  }
  return in_word;
}

} // namespace brainsait::core
