// The running transaction's changes of the revenue rollup: made by triggers, kept by savepoint,
// written at the end.

#include "revenue_pending.hpp"

#include "pg/key_lock.hpp"
#include "pg/memory_resource.hpp"
#include "revenue_direct.hpp"
#include "revenue_rows.hpp"

namespace brainsait {
namespace {

// In TopTransactionContext's care: it goes with the transaction, and so must this pointer.
RevenueTransaction *current = nullptr;

bool wait_for_rollup = false;

/// A transaction may drop the store after it wrote to it; then there is nothing left to keep.
bool store_is_gone(Oid schema) {
  return !OidIsValid(get_relname_relid("tenants", schema)) ||
         !OidIsValid(get_relname_relid("orders", schema));
}

void on_transaction_event(XactEvent event, void *) {
  if (current == nullptr)
    return;
  switch (event) {
  case XACT_EVENT_PRE_COMMIT:
  case XACT_EVENT_PRE_PREPARE:
    if (!current->pending->empty() && !store_is_gone(current->schema))
      flush_revenue(*current);
    break;
  case XACT_EVENT_COMMIT:
  case XACT_EVENT_ABORT:
  case XACT_EVENT_PREPARE:
    current = nullptr;
    break;
  default: // a parallel worker's: rows are changed in the leader only
    break;
  }
}

void on_subtransaction_event(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (current == nullptr)
    return;
  int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB)
    current->pending->abort_level(level);
  else if (event == SUBXACT_EVENT_COMMIT_SUB)
    current->pending->commit_level(level);
}

} // namespace

RevenueTransaction &revenue_transaction(const pg::Store &store) {
  if (current != nullptr) {
    if (current->schema != store.schema)
      elog(ERROR, "two stores in one transaction");
    return *current;
  }
  MemoryContext context =
      AllocSetContextCreate(TopTransactionContext, "brainsait revenue", ALLOCSET_DEFAULT_SIZES);
  void *memory = MemoryContextAlloc(context, sizeof(pg::PallocResource));
  void *pending = MemoryContextAlloc(context, sizeof(core::PendingRevenue));
  auto *transaction = static_cast<RevenueTransaction *>(
      MemoryContextAllocZero(context, sizeof(RevenueTransaction)));
  transaction->context = context;
  transaction->schema = store.schema;
  // Neither constructor allocates, nor can throw.
  transaction->memory = new (memory) pg::PallocResource(context);
  transaction->pending = new (pending) core::PendingRevenue(transaction->memory);
  current = transaction;
  return *current;
}

bool revenue_knows_order(const core::Uuid &order) {
  return current != nullptr && current->pending->knows_order(order);
}

void note_revenue_rebuilt(const pg::Store &store, const core::RebuildRange &range) {
  RevenueTransaction &transaction = revenue_transaction(store);
  int level = GetCurrentTransactionNestLevel();
  pg::run_guarded([&] { transaction.pending->at_level(level).rebuild(range); });
}

Oid store_table(const pg::Store &store, const char *name) {
  Oid table = get_relname_relid(name, store.schema);
  if (!OidIsValid(table))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation \"%s.%s\" does not exist", store.quoted_schema, name)));
  return table;
}

void lock_all_zones() {
  pg::lock_key(pg::LockClass::revenue_zone, pg::every_key, pg::LockStrength::shared);
}

bool rollup_waits() { return wait_for_rollup; }

void init_revenue_rollup() {
  DefineCustomBoolVariable(
      "brainsait.rollup_wait", "Has commits write revenue_metrics even if they must wait for it.",
      "Without it, what would have to wait is appended to revenue_deltas and folded later.",
      &wait_for_rollup, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  init_revenue_rows();
  init_revenue_direct();
  RegisterXactCallback(on_transaction_event, nullptr);
  RegisterSubXactCallback(on_subtransaction_event, nullptr);
}

} // namespace brainsait
