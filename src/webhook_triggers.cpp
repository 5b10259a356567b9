// The triggers that make events of changes of orders, payments, users and tenants.

#include "pg/trigger.hpp"
#include "webhook_outbox.hpp"
#include "webhook_subscriptions.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

using core::WebhookEvent;
using core::WebhookEventSet;

/// A row before and after a change; either may be missing.
struct Change {
  Relation relation;
  TupleTableSlot *before;
  TupleTableSlot *after;
};

// What payloads show: the documented columns, but no password. A column that an application adds is
// no business of other services' until it says so, by an event of its own.
constexpr const char *order_columns[] = {"id",
                                         "tenant_id",
                                         "user_id",
                                         "number",
                                         "status",
                                         "total",
                                         "currency",
                                         "customer_email",
                                         "customer_name",
                                         "billing_address",
                                         "shipping_address",
                                         "payment_intent_id",
                                         "payment_status",
                                         "metadata",
                                         "created_at",
                                         "updated_at"};
constexpr const char *payment_columns[] = {
    "id",       "tenant_id",    "order_id",   "payment_intent_id",
    "amount",   "currency",     "status",     "payment_method",
    "provider", "provider_fee", "net_amount", "refunded_amount",
    "metadata", "processed_at", "created_at", "updated_at"};
constexpr const char *user_columns[] = {"id",       "tenant_id",  "email",          "name",
                                        "role",     "status",     "email_verified", "last_login",
                                        "metadata", "created_at", "updated_at"};
constexpr const char *tenant_columns[] = {"id",   "name",     "slug",       "domain",    "status",
                                          "plan", "settings", "created_at", "updated_at"};

// What may change without being worth an event: every update sets the first, every login the other.
constexpr const char *unnoticed_columns[] = {"updated_at", "last_login"};

bool is_unnoticed(const char *name) {
  for (const char *unnoticed : unnoticed_columns)
    if (std::strcmp(name, unnoticed) == 0)
      return true;
  return false;
}

/// A column's value; null where the relation has no such column, or the row is missing.
Datum value_of(const Change &change, TupleTableSlot *row, const char *name, Oid &type,
               bool &is_null) {
  int number = SPI_fnumber(RelationGetDescr(change.relation), name);
  is_null = true;
  if (row == nullptr || number <= 0)
    return Datum(0);
  type = TupleDescAttr(RelationGetDescr(change.relation), number - 1)->atttypid;
  return slot_getattr(row, number, &is_null);
}

/// The text of a column, "" where it is null.
const char *text_of(const Change &change, TupleTableSlot *row, const char *name) {
  Oid type, output;
  bool is_null, is_varlena;
  Datum value = value_of(change, row, name, type, is_null);
  if (is_null)
    return "";
  getTypeOutputInfo(type, &output, &is_varlena);
  return OidOutputFunctionCall(output, value);
}

/// Whether a column became one of two values, or has it from the start.
bool became(const Change &change, const char *name, const char *value, const char *other) {
  const char *after = text_of(change, change.after, name);
  if (std::strcmp(after, value) != 0 && std::strcmp(after, other) != 0)
    return false;
  const char *before = text_of(change, change.before, name);
  return std::strcmp(before, value) != 0 && std::strcmp(before, other) != 0;
}
bool became(const Change &change, const char *name, const char *value) {
  return became(change, name, value, value);
}

Numeric number_of(const Change &change, TupleTableSlot *row, const char *name) {
  Oid type;
  bool is_null;
  Datum value = value_of(change, row, name, type, is_null);
  return is_null || getBaseType(type) != NUMERICOID ? int64_to_numeric(0) : DatumGetNumeric(value);
}

bool grew(const Change &change, const char *name) {
  return DatumGetBool(DirectFunctionCall2(numeric_gt,
                                          NumericGetDatum(number_of(change, change.after, name)),
                                          NumericGetDatum(number_of(change, change.before, name))));
}

/// Whether an update changed anything that the payload shows.
bool shows_a_change(const Change &change, std::span<const char *const> names) {
  TupleDesc columns = RelationGetDescr(change.relation);
  for (const char *name : names) {
    int number = SPI_fnumber(columns, name);
    if (number <= 0 || is_unnoticed(name))
      continue;
    bool null_before, null_after;
    Datum before = slot_getattr(change.before, number, &null_before);
    Datum after = slot_getattr(change.after, number, &null_after);
    const Form_pg_attribute attribute = TupleDescAttr(columns, number - 1);
    if (null_before != null_after ||
        (!null_before && !datum_image_eq(before, after, attribute->attbyval, attribute->attlen)))
      return true;
  }
  return false;
}

// One change of a row is one event, the most telling one that fits; payments aside, which may
// complete and be refunded at once.

WebhookEventSet events_of_order(const Change &change) {
  if (change.before == nullptr)
    return webhook_event_bit(WebhookEvent::order_created);
  if (change.after == nullptr)
    return 0;
  if (became(change, "status", "cancelled", "canceled"))
    return webhook_event_bit(WebhookEvent::order_cancelled);
  if (became(change, "status", "shipped"))
    return webhook_event_bit(WebhookEvent::order_shipped);
  return shows_a_change(change, order_columns) ? webhook_event_bit(WebhookEvent::order_updated) : 0;
}

WebhookEventSet events_of_payment(const Change &change) {
  WebhookEventSet events = 0;
  if (change.after == nullptr)
    return events;
  if (became(change, "status", "completed"))
    events |= webhook_event_bit(WebhookEvent::payment_completed);
  if (became(change, "status", "failed"))
    events |= webhook_event_bit(WebhookEvent::payment_failed);
  if (became(change, "status", "refunded") || grew(change, "refunded_amount"))
    events |= webhook_event_bit(WebhookEvent::payment_refunded);
  return events;
}

WebhookEventSet events_of_user(const Change &change) {
  if (change.before == nullptr)
    return webhook_event_bit(WebhookEvent::user_created);
  if (change.after == nullptr)
    return webhook_event_bit(WebhookEvent::user_deleted);
  return shows_a_change(change, user_columns) ? webhook_event_bit(WebhookEvent::user_updated) : 0;
}

WebhookEventSet events_of_tenant(const Change &change) {
  if (change.before == nullptr)
    return webhook_event_bit(WebhookEvent::tenant_created);
  if (change.after == nullptr)
    return 0; // its endpoints go with it
  if (became(change, "status", "suspended"))
    return webhook_event_bit(WebhookEvent::tenant_suspended);
  return shows_a_change(change, tenant_columns) ? webhook_event_bit(WebhookEvent::tenant_updated)
                                                : 0;
}

/// A table whose changes are events.
struct Source {
  const char *name; ///< the trigger's argument
  const char *tenant_column;
  std::span<const char *const> columns;
  WebhookEventSet (*events)(const Change &);
  /// Noted of a new row even if nobody wants it: a new tenant has no endpoint yet, and may get one
  /// in this transaction.
  WebhookEventSet wanted_of_new;
};
const Source sources[] = {
    {"orders", "tenant_id", order_columns, events_of_order, 0},
    {"payments", "tenant_id", payment_columns, events_of_payment, 0},
    {"users", "tenant_id", user_columns, events_of_user, 0},
    {"tenants", "id", tenant_columns, events_of_tenant,
     webhook_event_bit(WebhookEvent::tenant_created)},
};

const Source &source_of(const Trigger &trigger) {
  if (trigger.tgnargs == 1)
    for (const Source &source : sources)
      if (std::strcmp(trigger.tgargs[0], source.name) == 0)
        return source;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("webhook_row_changed() takes the table: orders, payments, users or "
                         "tenants")));
  pg_unreachable();
}

/// The events that are to be noted, whether or not they happened.
WebhookEventSet wanted_events(const pg::Store &store, const Source &source, const pg_uuid_t &tenant,
                              const Change &change) {
  WebhookEventSet wanted = webhook_subscriptions(store, tenant).wanted;
  return change.before == nullptr ? wanted | source.wanted_of_new : wanted;
}

void note_change(const pg::Store &store, const Source &source, const Change &change,
                 const pg_uuid_t &tenant, WebhookEventSet wanted) {
  // Everything made on the way goes at once: a statement may change a million rows.
  MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "brainsait webhook event",
                                                ALLOCSET_DEFAULT_SIZES);
  MemoryContext previous = MemoryContextSwitchTo(scratch);
  WebhookEventSet events = source.events(change) & wanted;
  TupleTableSlot *shown = change.after == nullptr ? change.before : change.after;
  for (std::size_t i = 0; i < core::webhook_event_count; ++i)
    if ((events & WebhookEventSet(1) << i) != 0)
      note_webhook_event(store, WebhookEvent(i), tenant, change.relation, shown, source.columns);
  MemoryContextSwitchTo(previous);
  MemoryContextDelete(scratch);
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_webhook_row_changed);

/// webhook_row_changed(table): AFTER INSERT, UPDATE or DELETE on orders, payments, users or
/// tenants, for each row. Notes the events that the change is, where the tenant's endpoints want
/// them.
Datum brainsait_webhook_row_changed(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "webhook_row_changed",
                       "AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW", [](TriggerEvent event) {
                         return TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_FOR_ROW(event);
                       });
  const Source &source = source_of(*data.tg_trigger);
  Change change = {data.tg_relation, data.tg_trigslot, nullptr};
  if (TRIGGER_FIRED_BY_INSERT(data.tg_event))
    change = {data.tg_relation, nullptr, data.tg_trigslot};
  else if (TRIGGER_FIRED_BY_UPDATE(data.tg_event))
    change.after = data.tg_newslot;

  int tenant_number = pg::column_of_type(data.tg_relation, source.tenant_column, UUIDOID);
  TupleTableSlot *shown = change.after == nullptr ? change.before : change.after;
  bool is_null;
  Datum value = slot_getattr(shown, tenant_number, &is_null);
  if (is_null)
    return PointerGetDatum(nullptr);
  const pg_uuid_t tenant = *DatumGetUUIDP(value);
  // Endpoints that others have made by now count, also where this transaction holds all its locks.
  AcceptInvalidationMessages();
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  WebhookEventSet wanted = wanted_events(store, source, tenant, change);
  if (wanted != 0)
    note_change(store, source, change, tenant, wanted);
  return PointerGetDatum(nullptr);
}
}
