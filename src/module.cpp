// The module's entry: magic block, parameters, callbacks.

#include "client_parameters.hpp"
#include "credential_vault.hpp"
#include "order_number.hpp"
#include "pg/store.hpp"
#include "reference_check.hpp"
#include "revenue_pending.hpp"
#include "row_checks.hpp"
#include "revenue_worker.hpp"
#include "statement_privacy.hpp"
#include "tenant_context.hpp"
#include "tenant_settings.hpp"
#include "tenant_token.hpp"
#include "utility_guard.hpp"
#include "webhook_outbox.hpp"
#include "webhook_subscriptions.hpp"

extern "C" {

BRAINSAIT_MODULE_MAGIC("brainsait", "0.2.0");

void _PG_init(void);

void _PG_init(void) {
  brainsait::refuse_client_parameters();
  brainsait::pg::init_store();
  brainsait::init_tenant_settings();
  brainsait::init_tenant_context();
  brainsait::init_tenant_token();
  brainsait::init_credential_vault();
  brainsait::init_statement_privacy();
  brainsait::init_utility_guard();
  brainsait::init_order_number();
  brainsait::init_revenue_rollup();
  brainsait::init_webhook_subscriptions();
  brainsait::init_webhook_outbox();
  brainsait::init_row_checks();
  brainsait::init_reference_check();
  brainsait::init_fold_worker();
  MarkGUCPrefixReserved("brainsait");
}
}
