// Row triggers that fill columns: touch_updated_at() and fill_tenant().

#include "pg/query.hpp"
#include "pg/trigger.hpp"
#include "tenant_context.hpp"

namespace brainsait {
namespace {

pg::StoreQuery
    tenant_of_order("SELECT tenant_id FROM @store@.orders WHERE id OPERATOR(pg_catalog.=) $1",
                    UUIDOID);
pg::StoreQuery
    tenant_of_webhook("SELECT tenant_id FROM @store@.webhooks WHERE id OPERATOR(pg_catalog.=) $1",
                      UUIDOID);

/// The tenant of the parent row, whoever may see it; false where there is no such row. What the
/// caller may do with it is for the wall to say, which checks the row after this trigger.
bool find_parent_tenant(const pg::Store &store, pg::StoreQuery &query, Datum parent,
                        pg_uuid_t &tenant) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  query.run(store, &parent, nullptr, 1);
  bool found = SPI_processed == 1;
  if (found)
    tenant = *DatumGetUUIDP(pg::result_scalar());
  pg::end_owner_session(session);
  return found;
}

pg::StoreQuery &query_for_parent(const Trigger &trigger) {
  if (trigger.tgnargs == 2 && std::strcmp(trigger.tgargs[0], "orders") == 0)
    return tenant_of_order;
  if (trigger.tgnargs == 2 && std::strcmp(trigger.tgargs[0], "webhooks") == 0)
    return tenant_of_webhook;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("fill_tenant() takes the parent table, orders or webhooks, and the column "
                         "that references it")));
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_touch_updated_at);
PG_FUNCTION_INFO_V1(brainsait_fill_tenant);

/// touch_updated_at(): BEFORE UPDATE, sets updated_at to the transaction's time.
Datum brainsait_touch_updated_at(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data = pg::trigger_data(
      fcinfo, "touch_updated_at", "BEFORE UPDATE FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               TRIGGER_FIRED_BY_UPDATE(event);
      });
  int number = pg::column_of_type(data.tg_relation, "updated_at", TIMESTAMPTZOID);
  return PointerGetDatum(
      pg::with_column(data.tg_newtuple, data.tg_relation, number,
                      TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())));
}

/// fill_tenant(parent table, referencing column): BEFORE INSERT, fills a null tenant_id from the
/// context, else from the parent row.
Datum brainsait_fill_tenant(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "fill_tenant", "BEFORE INSERT FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               TRIGGER_FIRED_BY_INSERT(event);
      });
  Relation relation = data.tg_relation;
  HeapTuple row = data.tg_trigtuple;
  int tenant_number = pg::column_of_type(relation, "tenant_id", UUIDOID);
  bool is_null;
  (void)heap_getattr(row, tenant_number, RelationGetDescr(relation), &is_null);
  if (!is_null)
    return PointerGetDatum(row);

  pg::StoreQuery &query = query_for_parent(*data.tg_trigger);
  if (const pg_uuid_t *tenant = current_tenant())
    return PointerGetDatum(pg::with_column(row, relation, tenant_number, UUIDPGetDatum(tenant)));

  int parent_number = pg::column_of_type(relation, data.tg_trigger->tgargs[1], UUIDOID);
  Datum parent = heap_getattr(row, parent_number, RelationGetDescr(relation), &is_null);
  pg_uuid_t tenant;
  const pg::Store &store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  if (is_null || !find_parent_tenant(store, query, parent, tenant))
    return PointerGetDatum(row);
  return PointerGetDatum(pg::with_column(row, relation, tenant_number, UUIDPGetDatum(&tenant)));
}
}
