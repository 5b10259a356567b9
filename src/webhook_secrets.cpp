#include "webhook_secrets.hpp"

#include "credential_vault.hpp"

extern "C" {
#include "utils/resowner.h"
}

namespace brainsait {
namespace {

WebhookSecrets open_both(const StoredWebhookSecrets &stored) {
  WebhookSecrets secrets = {};
  secrets.current = open_webhook_secret(stored.tenant, stored.webhook, stored.current);
  if (stored.previous != nullptr)
    secrets.previous = open_webhook_secret(stored.tenant, stored.webhook, stored.previous);
  return secrets;
}

void forget_text(text *secret) {
  if (secret != nullptr)
    explicit_bzero(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret));
}

} // namespace

void forget_webhook_secrets(const WebhookSecrets &secrets) {
  forget_text(secrets.current);
  forget_text(secrets.previous);
}

bool open_webhook_secrets(const StoredWebhookSecrets &stored, WebhookSecrets &secrets,
                          const char *&error) {
  MemoryContext context = CurrentMemoryContext;
  ResourceOwner owner = CurrentResourceOwner;
  volatile bool opened = false;
  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    secrets = open_both(stored);
    ReleaseCurrentSubTransaction();
    opened = true;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData *caught = CopyErrorData();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    // Who cancels the claim, or ends the session, is obeyed.
    if (ERRCODE_TO_CATEGORY(caught->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
      ReThrowError(caught);
    error = caught->message;
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  CurrentResourceOwner = owner;
  return opened;
}

} // namespace brainsait
