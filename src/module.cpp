// The module's entry: magic block, parameters, callbacks.

#include "order_number.hpp"
#include "pg/store.hpp"
#include "revenue_pending.hpp"
#include "row_checks.hpp"
#include "revenue_worker.hpp"
#include "tenant_context.hpp"
#include "tenant_settings.hpp"

extern "C" {

BRAINSAIT_MODULE_MAGIC("0.1.0");

void _PG_init(void);

void _PG_init(void) {
  brainsait::pg::init_store();
  brainsait::init_tenant_settings();
  brainsait::init_tenant_context();
  brainsait::init_order_number();
  brainsait::init_revenue_rollup();
  brainsait::init_row_checks();
  brainsait::init_fold_worker();
  MarkGUCPrefixReserved("brainsait");
}
}
