#pragma once

#include "core/webhook_events.hpp"
#include "pg/store.hpp"

namespace brainsait {

/// What a tenant's active endpoints subscribed to.
struct WebhookSubscriptions {
  pg_uuid_t tenant; // the hash key: stays first
  bool any;         ///< there is an active endpoint
  core::WebhookEventSet wanted;
};

/// What the tenant's endpoints want, as committed before this call, and as this transaction changed
/// it: from the backend's cache, or past row security from webhooks. A tenant wants nothing where
/// the store has no table of webhooks or of deliveries.
WebhookSubscriptions webhook_subscriptions(const pg::Store &store, const pg_uuid_t &tenant);

/// Registers the invalidation of what is kept. Called once, from _PG_init.
void init_webhook_subscriptions();

} // namespace brainsait
