#include "core/webhook_events.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace brainsait::core {
namespace {

TEST(WebhookPattern, MatchesItsOwnName) {
  EXPECT_TRUE(webhook_pattern_matches("order.created", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches("order.created", "order.create"));
  EXPECT_FALSE(webhook_pattern_matches("order.created", "order.created2"));
  EXPECT_FALSE(webhook_pattern_matches("order.created", "Order.created"));
  EXPECT_FALSE(webhook_pattern_matches("", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches("order.created ", "order.created"));
}

TEST(WebhookPattern, StarMatchesEverything) {
  for (std::string_view type : {"order.created", "invoice", "a.b.c"})
    EXPECT_TRUE(webhook_pattern_matches("*", type)) << type;
}

TEST(WebhookPattern, PrefixEndsAtADot) {
  EXPECT_TRUE(webhook_pattern_matches("order.*", "order.created"));
  EXPECT_TRUE(webhook_pattern_matches("order.*", "order.item.added"));
  EXPECT_TRUE(webhook_pattern_matches("order.item.*", "order.item.added"));
  EXPECT_FALSE(webhook_pattern_matches("order.item.*", "order.items.added"));
  EXPECT_FALSE(webhook_pattern_matches("order.*", "orders.created"));
  EXPECT_FALSE(webhook_pattern_matches("order.*", "order"));
  EXPECT_FALSE(webhook_pattern_matches("order.*", "order."));
  EXPECT_FALSE(webhook_pattern_matches("order*", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches("*.created", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches("**", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches(".*", "order.created"));
  EXPECT_FALSE(webhook_pattern_matches("*.*", "order.created"));
}

TEST(WebhookEvents, HaveTheDocumentedNames) {
  const std::set<std::string_view> documented = {
      "order.created",  "order.updated",    "order.cancelled", "order.shipped", "payment.completed",
      "payment.failed", "payment.refunded", "user.created",    "user.updated",  "user.deleted",
      "tenant.created", "tenant.updated",   "tenant.suspended"};
  std::set<std::string_view> named;
  for (std::size_t i = 0; i < webhook_event_count; ++i)
    named.insert(webhook_event_name(static_cast<WebhookEvent>(i)));
  EXPECT_EQ(named, documented);
  EXPECT_EQ(webhook_event_name(WebhookEvent::order_created), "order.created");
  EXPECT_EQ(webhook_event_name(WebhookEvent::payment_refunded), "payment.refunded");
  EXPECT_EQ(webhook_event_name(WebhookEvent::tenant_suspended), "tenant.suspended");
}

TEST(WebhookEvents, SetOfAPatternIsWhatItMatches) {
  for (std::string pattern : {"*", "order.*", "user.*", "payment.failed", "tenant", "x.*", ""}) {
    WebhookEventSet set = webhook_events_matching(pattern);
    for (std::size_t i = 0; i < webhook_event_count; ++i) {
      auto event = static_cast<WebhookEvent>(i);
      std::string name(webhook_event_name(event));
      bool wanted =
          pattern == "*" || pattern == name || pattern == name.substr(0, name.find('.')) + ".*";
      EXPECT_EQ((set & webhook_event_bit(event)) != 0, wanted) << pattern << ' ' << name;
    }
  }
  EXPECT_EQ(webhook_events_matching("*"), (WebhookEventSet(1) << webhook_event_count) - 1);
}

TEST(WebhookEventType, IsWordsJoinedByDots) {
  for (std::string_view type : {"a", "order.created", "Invoice.sent-twice.v2", "_", "1.2.3"})
    EXPECT_TRUE(is_webhook_event_type(type)) << type;
  for (std::string_view type : {"", ".", "a.", ".a", "a..b", "*", "a.*", "a b", "a\n", "a\r\nX: y",
                                "\xd8\xb7", "a/b", "a:b"})
    EXPECT_FALSE(is_webhook_event_type(type)) << type;
  EXPECT_TRUE(is_webhook_event_type(std::string(100, 'a')));
  EXPECT_FALSE(is_webhook_event_type(std::string(101, 'a')));
  EXPECT_FALSE(is_webhook_event_type(std::string_view("a\0b", 3)));
}

} // namespace
} // namespace brainsait::core
