#pragma once

#include "webhook_signature.hpp"

namespace brainsait {

/// An endpoint's secrets as its row holds them.
struct StoredWebhookSecrets {
  pg_uuid_t tenant;
  pg_uuid_t webhook;
  text *current;
  text *previous; ///< nullptr where it has none, or no longer
};

/// Opens them in the current memory context. Where that fails, returns false
/// with the reason in `error`: one endpoint's secret must not stand in the way of others.
bool open_webhook_secrets(const StoredWebhookSecrets &stored, WebhookSecrets &secrets,
                          const char *&error);

/// Overwrites them.
void forget_webhook_secrets(const WebhookSecrets &secrets);

} // namespace brainsait
