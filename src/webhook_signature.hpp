#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace brainsait {

/// An endpoint's secrets in clear. While they are changed, the previous one signs too.
struct WebhookSecrets {
  text *current;
  text *previous; ///< nullptr where there is none
};

/// One attempt to deliver an event.
struct WebhookMessage {
  pg_uuid_t event;
  pg_uuid_t delivery;
  text *type;
  text *body;
  int64 time; ///< of the attempt, Unix seconds
};

/// Base64 of HMAC-SHA256 over "id.timestamp.body", with "v1," before it: a signature of Standard
/// Webhooks 1.0. The key is what `whsec_` and base64 stand for, and any other secret's own bytes.
/// All text is signed as UTF-8. In the current memory context.
const char *standard_webhook_signature(text *secret, const char *id, int64 time, text *body);

/// The HTTP headers of a message, {"name": "value"}. In the current memory context.
Jsonb *webhook_headers(const WebhookMessage &message, const WebhookSecrets &secrets);

} // namespace brainsait
