// The triggers that keep the revenue rollup: each turns a change of a row into changes of buckets,
// in memory. Nothing is read or locked here; that is for the flush at the end of the transaction.

#include "pg/time_zone.hpp"
#include "pg/trigger.hpp"
#include "revenue_pending.hpp"
#include "revenue_rows.hpp"

namespace brainsait {
namespace {

std::optional<core::RevenueBucket> bucket_of(const OrderRow &order) {
  if (!order.contribution.counted)
    return std::nullopt;
  return order.contribution.bucket;
}

void order_inserted(const pg::Store &store, const OrderRow &order) {
  if (!order.contribution.counted)
    return;
  change_revenue(store, [&](core::RevenueChanges &changes) {
    changes.use_zone(order.tenant, order.zone);
    changes.add(order.contribution, +1);
  });
}

// A time that moves within the day may be a move to another day by a time zone that the tenant is
// getting meanwhile: the flush must know by which zone it was none.
void order_updated(const pg::Store &store, const OrderRow &before, const OrderRow &after) {
  if (before.id == after.id && before.tenant == after.tenant &&
      before.created_at == after.created_at && before.contribution == after.contribution)
    return;
  bool moved = before.tenant != after.tenant || bucket_of(before) != bucket_of(after);
  change_revenue(store, [&](core::RevenueChanges &changes) {
    if (before.contribution.counted)
      changes.use_zone(before.tenant, before.zone);
    if (after.contribution.counted)
      changes.use_zone(after.tenant, after.zone);
    if (before.contribution != after.contribution) {
      changes.add(before.contribution, -1);
      changes.add(after.contribution, +1);
    }
    // An order that changed its id is gone under the old one; payments repointed report themselves.
    if (before.id != after.id)
      changes.move_order(before.tenant, before.id, bucket_of(before));
    else if (moved)
      changes.move_order(after.tenant, after.id, bucket_of(before));
  });
}

// Where the order went must be remembered only if it has refunds. The foreign key of payments runs
// before this trigger (RI_ConstraintTrigger sorts before brainsait_) and sets their order_id to
// null; the AFTER triggers of that update wait for the end of the statement, but its BEFORE trigger
// has run, and payment_leaves() has made the order known. So a bulk delete keeps nothing per order
// without refunds.
void order_deleted(const pg::Store &store, const OrderRow &order) {
  bool known = revenue_knows_order(order.id);
  if (!known && !order.contribution.counted)
    return;
  change_revenue(store, [&](core::RevenueChanges &changes) {
    if (order.contribution.counted)
      changes.use_zone(order.tenant, order.zone);
    changes.add(order.contribution, -1);
    if (known)
      changes.move_order(order.tenant, order.id, bucket_of(order));
  });
}

void add_refund(const pg::Store &store, const PaymentRow &payment, int sign) {
  if (!payment.has_order || payment.refunded == 0)
    return;
  std::int64_t amount = sign < 0 ? -payment.refunded : payment.refunded;
  change_revenue(store, [&](core::RevenueChanges &changes) {
    changes.add_refund(payment.tenant, payment.order, amount);
  });
}

void payment_updated(const pg::Store &store, const PaymentRow &before, const PaymentRow &after) {
  if (before.has_order == after.has_order && before.order == after.order &&
      before.tenant == after.tenant && before.refunded == after.refunded)
    return;
  add_refund(store, before, -1);
  add_refund(store, after, +1);
}

/// The time zone's name in a row of tenants, as tenant_settings() understands it.
const char *time_zone_name(Relation tenants, HeapTuple row) {
  bool is_null;
  Datum settings = heap_getattr(row, pg::column_of_type(tenants, "settings", JSONBOID),
                                RelationGetDescr(tenants), &is_null);
  if (is_null)
    return "UTC";
  LOCAL_FCINFO(call, 2);
  InitFunctionCallInfoData(*call, nullptr, 2, InvalidOid, nullptr, nullptr);
  call->args[0] = {settings, false};
  call->args[1] = {CStringGetTextDatum("timezone"), false};
  Datum zone = jsonb_object_field_text(call);
  return call->isnull ? "UTC" : TextDatumGetCString(zone);
}

core::Uuid tenant_id(Relation tenants, HeapTuple row, bool &is_null) {
  Datum id = heap_getattr(row, pg::column_of_type(tenants, "id", UUIDOID),
                          RelationGetDescr(tenants), &is_null);
  return is_null ? core::Uuid{} : to_core(*DatumGetUUIDP(id));
}

void tenant_changed(const pg::Store &store, const TriggerData &data) {
  Relation tenants = data.tg_relation;
  bool is_null;
  core::Uuid tenant = tenant_id(tenants, data.tg_trigtuple, is_null);
  if (is_null)
    return;
  if (TRIGGER_FIRED_BY_DELETE(data.tg_event)) {
    change_revenue(store, [&](core::RevenueChanges &changes) { changes.delete_tenant(tenant); });
    return;
  }
  if (std::strcmp(time_zone_name(tenants, data.tg_trigtuple),
                  time_zone_name(tenants, data.tg_newtuple)) == 0)
    return;
  // Orders of this transaction, and those reported later in this very statement, may have gone to a
  // day of either zone, so nothing short of computing all days at the end is right.
  change_revenue(store, [&](core::RevenueChanges &changes) {
    changes.rebuild({tenant, DATEVAL_NOBEGIN, DATEVAL_NOEND, false});
  });
}

const pg::Store &store_of(FunctionCallInfo fcinfo) {
  return pg::store_of_function(fcinfo->flinfo->fn_oid);
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_revenue_order_changed);
PG_FUNCTION_INFO_V1(brainsait_revenue_payment_leaves);
PG_FUNCTION_INFO_V1(brainsait_revenue_payment_changed);
PG_FUNCTION_INFO_V1(brainsait_revenue_tenant_changed);
PG_FUNCTION_INFO_V1(brainsait_revenue_orders_truncated);
PG_FUNCTION_INFO_V1(brainsait_revenue_payments_truncated);

/// revenue_order_changed(): AFTER INSERT, UPDATE, DELETE on orders, for each row.
Datum brainsait_revenue_order_changed(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "revenue_order_changed",
                       "AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW", [](TriggerEvent event) {
                         return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_FOR_ROW(event);
                       });
  const pg::Store store = store_of(fcinfo); // a copy: reading a tenant may replace the cached one
  OrderRow row = read_order(store, data.tg_relation, data.tg_trigslot);
  if (TRIGGER_FIRED_BY_INSERT(data.tg_event))
    order_inserted(store, row);
  else if (TRIGGER_FIRED_BY_DELETE(data.tg_event))
    order_deleted(store, row);
  else
    order_updated(store, row, read_order(store, data.tg_relation, data.tg_newslot));
  return PointerGetDatum(nullptr);
}

/// revenue_payment_leaves(): BEFORE UPDATE or DELETE on payments, for each row. Makes the order of
/// a refunded payment known when the payment is about to leave it, which may be because the order
/// is being deleted (see order_deleted). Changes nothing in the row.
Datum brainsait_revenue_payment_leaves(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "revenue_payment_leaves", "BEFORE UPDATE OR DELETE FOR EACH ROW",
                       [](TriggerEvent event) {
                         return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
                                !TRIGGER_FIRED_BY_INSERT(event);
                       });
  bool deleted = TRIGGER_FIRED_BY_DELETE(data.tg_event);
  PaymentRow before = read_payment(data.tg_relation, data.tg_trigslot);
  if (before.has_order && before.refunded != 0) {
    PaymentRow after = deleted ? PaymentRow{} : read_payment(data.tg_relation, data.tg_newslot);
    if (!after.has_order || after.order != before.order)
      change_revenue(store_of(fcinfo), [&](core::RevenueChanges &changes) {
        changes.add_refund(before.tenant, before.order, 0);
      });
  }
  return PointerGetDatum(deleted ? data.tg_trigtuple : data.tg_newtuple);
}

/// revenue_payment_changed(): AFTER INSERT, UPDATE, DELETE on payments, for each row.
Datum brainsait_revenue_payment_changed(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "revenue_payment_changed",
                       "AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW", [](TriggerEvent event) {
                         return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_FOR_ROW(event);
                       });
  const pg::Store store = store_of(fcinfo);
  PaymentRow row = read_payment(data.tg_relation, data.tg_trigslot);
  if (TRIGGER_FIRED_BY_INSERT(data.tg_event))
    add_refund(store, row, +1);
  else if (TRIGGER_FIRED_BY_DELETE(data.tg_event))
    add_refund(store, row, -1);
  else
    payment_updated(store, row, read_payment(data.tg_relation, data.tg_newslot));
  return PointerGetDatum(nullptr);
}

/// revenue_tenant_changed(): AFTER UPDATE, DELETE on tenants, for each row. A changed time zone has
/// all of the tenant's days computed anew at the end of the transaction; what is pending for a
/// deleted tenant is dropped there, and its rows of revenue_customers are deleted.
Datum brainsait_revenue_tenant_changed(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "revenue_tenant_changed", "AFTER UPDATE OR DELETE FOR EACH ROW",
                       [](TriggerEvent event) {
                         return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_FOR_ROW(event) &&
                                !TRIGGER_FIRED_BY_INSERT(event);
                       });
  tenant_changed(store_of(fcinfo), data);
  return PointerGetDatum(nullptr);
}

/// revenue_orders_truncated(): AFTER TRUNCATE on orders. Empties the rollup at the end of the
/// transaction.
Datum brainsait_revenue_orders_truncated(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  (void)pg::trigger_data(fcinfo, "revenue_orders_truncated", "AFTER TRUNCATE",
                         [](TriggerEvent event) {
                           return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_BY_TRUNCATE(event);
                         });
  const pg::Store store = store_of(fcinfo);
  forget_appended(store);
  change_revenue(store, [](core::RevenueChanges &changes) { changes.clear_all(); });
  return PointerGetDatum(nullptr);
}

/// revenue_payments_truncated(): AFTER TRUNCATE on payments. Sets all refunds to zero at the end of
/// the transaction.
Datum brainsait_revenue_payments_truncated(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  (void)pg::trigger_data(fcinfo, "revenue_payments_truncated", "AFTER TRUNCATE",
                         [](TriggerEvent event) {
                           return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_BY_TRUNCATE(event);
                         });
  change_revenue(store_of(fcinfo), [](core::RevenueChanges &changes) { changes.clear_refunds(); });
  return PointerGetDatum(nullptr);
}
}
