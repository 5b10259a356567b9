// Rows of orders and payments as the rollup sees them.

#include "revenue_rows.hpp"

#include "core/pending_revenue_amount.hpp"
#include "pg/guard.hpp"
#include "pg/relation_changes.hpp"
#include "pg/trigger.hpp"
#include "revenue_customer.hpp"
#include "tenant_settings.hpp"

namespace brainsait {
namespace {

struct Column {
  int number;
  Oid collation;
  Oid output; ///< how to get the text of a type that is not text itself (an enum, say)
};

struct OrderColumns {
  Oid relation;
  Column id, tenant_id, user_id, status, total, currency, customer_email, payment_status,
      created_at;
};

struct PaymentColumns {
  Oid relation;
  Column order_id, tenant_id, refunded_amount;
};

// One table of each kind per backend; a relation's invalidation sets `relation` back to InvalidOid.
OrderColumns order_columns;
PaymentColumns payment_columns;

void on_relation_change(Oid relation) {
  if (relation == InvalidOid || relation == order_columns.relation)
    order_columns.relation = InvalidOid;
  if (relation == InvalidOid || relation == payment_columns.relation)
    payment_columns.relation = InvalidOid;
}

Column find_column(Relation relation, const char *name, Oid wanted_type) {
  int number = pg::column_number(relation, name);
  Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), number - 1);
  Oid type = getBaseType(attribute->atttypid);
  Column column = {number, attribute->attcollation, InvalidOid};
  if (wanted_type == TEXTOID) {
    bool varlena;
    if (type != TEXTOID && type != VARCHAROID)
      getTypeOutputInfo(type, &column.output, &varlena);
  } else if (type != wanted_type) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("column %s.%s has type %s, but the revenue rollup needs %s",
                           RelationGetRelationName(relation), name, format_type_be(type),
                           format_type_be(wanted_type))));
  }
  return column;
}

const OrderColumns &columns_of_orders(Relation relation) {
  if (order_columns.relation == RelationGetRelid(relation))
    return order_columns;
  OrderColumns columns = {};
  columns.id = find_column(relation, "id", UUIDOID);
  columns.tenant_id = find_column(relation, "tenant_id", UUIDOID);
  columns.user_id = find_column(relation, "user_id", UUIDOID);
  columns.status = find_column(relation, "status", TEXTOID);
  columns.total = find_column(relation, "total", NUMERICOID);
  columns.currency = find_column(relation, "currency", TEXTOID);
  columns.customer_email = find_column(relation, "customer_email", TEXTOID);
  columns.payment_status = find_column(relation, "payment_status", TEXTOID);
  columns.created_at = find_column(relation, "created_at", TIMESTAMPTZOID);
  columns.relation = RelationGetRelid(relation);
  order_columns = columns;
  return order_columns;
}

const PaymentColumns &columns_of_payments(Relation relation) {
  if (payment_columns.relation == RelationGetRelid(relation))
    return payment_columns;
  PaymentColumns columns = {};
  columns.order_id = find_column(relation, "order_id", UUIDOID);
  columns.tenant_id = find_column(relation, "tenant_id", UUIDOID);
  columns.refunded_amount = find_column(relation, "refunded_amount", NUMERICOID);
  columns.relation = RelationGetRelid(relation);
  payment_columns = columns;
  return payment_columns;
}

/// The column's value as a text, or nullptr where it is null.
text *text_value(TupleTableSlot *slot, const Column &column) {
  bool is_null;
  Datum value = slot_getattr(slot, column.number, &is_null);
  if (is_null)
    return nullptr;
  if (!OidIsValid(column.output))
    return DatumGetTextPP(value);
  char *printed = OidOutputFunctionCall(column.output, value);
  std::size_t length = std::strlen(printed);
  while (length > 0 && printed[length - 1] == ' ') // char(n) pads
    --length;
  return cstring_to_text_with_len(printed, int(length));
}

/// The text's characters; data() is nullptr where it is null.
std::string_view view_of(const text *value) {
  return value == nullptr ? std::string_view()
                          : std::string_view(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

template <std::size_t count>
bool is_one_of(std::string_view value, const std::string_view (&list)[count]) {
  for (std::string_view element : list)
    if (value == element)
      return true;
  return false;
}

/// Design section 5: not cancelled, and paid by its payment status or by how far it has come.
bool is_paid(std::string_view status, std::string_view payment_status) {
  static constexpr std::string_view cancelled[] = {"cancelled", "canceled"};
  static constexpr std::string_view paid[] = {"paid", "partially_refunded", "refunded"};
  static constexpr std::string_view delivered[] = {"completed", "archived", "refunded"};
  return !is_one_of(status, cancelled) &&
         (is_one_of(payment_status, paid) || is_one_of(status, delivered));
}

/// An amount of one order or payment in hundredths. No more than an average of them can be, which
/// has ten digits: what is appended to the queue must fit the row that it is folded into.
std::int64_t row_amount(Datum value) {
  constexpr std::int64_t most = 99'999'999'99;
  std::int64_t amount = hundredths(value);
  if (amount > most || amount < -most)
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("amount %s is out of range for the revenue rollup",
                           DatumGetCString(DirectFunctionCall1(numeric_out, value)))));
  return amount;
}

/// What the last call of tenant_zone() found: a load names the same tenant over and over.
struct LastZone {
  uint64 generation;
  Oid tenants;
  pg_uuid_t tenant;
  pg_tz *zone;
};
LastZone last_zone;

pg_tz *tenant_zone(const pg::Store &store, const pg_uuid_t &tenant) {
  if (last_zone.zone != nullptr && last_zone.generation == tenant_settings_generation() &&
      last_zone.tenants == store.tenants &&
      std::memcmp(&last_zone.tenant, &tenant, sizeof tenant) == 0)
    return last_zone.zone;
  Oid tenants = store.tenants;
  uint64 generation = tenant_settings_generation(); // a change that is heard of meanwhile counts
  const TenantSettings &settings = tenant_settings(store, tenant);
  // A tenant that this very transaction deleted is not there any more: its rows go whatever the
  // day.
  pg_tz *zone = settings.exists ? tenant_time_zone(settings) : pg::named_time_zone("UTC");
  last_zone = {generation, tenants, tenant, zone};
  return zone;
}

} // namespace

core::Uuid to_core(const pg_uuid_t &id) {
  core::Uuid result;
  std::memcpy(result.data(), id.data, result.size());
  return result;
}

pg_uuid_t from_core(const core::Uuid &id) {
  pg_uuid_t result;
  std::memcpy(result.data, id.data(), id.size());
  return result;
}

std::int64_t hundredths(Datum amount) {
  const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, amount));
  std::int64_t result = 0;
  pg::run_guarded([&] { result = core::parse_hundredths(digits); });
  return result;
}

std::uintptr_t revenue_zone(const pg::Store &store, const pg_uuid_t &tenant) {
  // PostgreSQL keeps one pg_tz per name for the life of the backend.
  return reinterpret_cast<std::uintptr_t>(tenant_zone(store, tenant));
}

core::RevenueBucket revenue_bucket(const pg::Store &store, const pg_uuid_t &tenant,
                                   TimestampTz created_at, std::string_view currency,
                                   std::uintptr_t &zone) {
  core::RevenueBucket bucket = {};
  bucket.tenant = to_core(tenant);
  pg_tz *days = tenant_zone(store, tenant);
  zone = reinterpret_cast<std::uintptr_t>(days);
  bucket.day = pg::local_date(created_at, days);
  if (currency.data() == nullptr)
    currency = "XXX";
  bool three_capitals = currency.size() == 3;
  for (char letter : currency)
    three_capitals = three_capitals && letter >= 'A' && letter <= 'Z';
  if (!three_capitals)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("currency \"%.*s\" is not three capital letters", int(currency.size()),
                           currency.data())));
  std::memcpy(bucket.currency.data(), currency.data(), currency.size());
  return bucket;
}

OrderRow read_order(const pg::Store &store, Relation orders, TupleTableSlot *slot) {
  const OrderColumns columns = columns_of_orders(orders);
  bool is_null, no_id, no_tenant;
  OrderRow order = {};
  Datum id_value = slot_getattr(slot, columns.id.number, &no_id);
  Datum tenant_value = slot_getattr(slot, columns.tenant_id.number, &no_tenant);
  if (no_id || no_tenant) // the application dropped NOT NULL: nobody's order, so in no bucket
    return order;
  pg_uuid_t id = *DatumGetUUIDP(id_value);
  pg_uuid_t tenant = *DatumGetUUIDP(tenant_value);
  order.id = to_core(id);
  order.tenant = to_core(tenant);
  TimestampTz created_at =
      DatumGetTimestampTz(slot_getattr(slot, columns.created_at.number, &is_null));
  if (is_null)
    return order; // on no day, so in no bucket
  order.created_at = created_at;

  core::OrderContribution &contribution = order.contribution;
  contribution.counted = true;
  contribution.bucket = revenue_bucket(store, tenant, created_at,
                                       view_of(text_value(slot, columns.currency)), order.zone);
  contribution.paid = is_paid(view_of(text_value(slot, columns.status)),
                              view_of(text_value(slot, columns.payment_status)));
  Datum total = slot_getattr(slot, columns.total.number, &is_null);
  contribution.total = is_null ? 0 : row_amount(total);
  Datum user = slot_getattr(slot, columns.user_id.number, &is_null);
  contribution.customer =
      revenue_customer(is_null ? nullptr : DatumGetUUIDP(user),
                       is_null ? text_value(slot, columns.customer_email) : nullptr,
                       columns.customer_email.collation, id);
  return order;
}

PaymentRow read_payment(Relation payments, TupleTableSlot *slot) {
  const PaymentColumns columns = columns_of_payments(payments);
  PaymentRow payment = {};
  bool is_null, no_tenant;
  Datum order = slot_getattr(slot, columns.order_id.number, &is_null);
  Datum tenant = slot_getattr(slot, columns.tenant_id.number, &no_tenant);
  payment.has_order = !is_null && !no_tenant; // without a tenant it references no order
  if (!payment.has_order)
    return payment;
  payment.order = to_core(*DatumGetUUIDP(order));
  payment.tenant = to_core(*DatumGetUUIDP(tenant));
  Datum refunded = slot_getattr(slot, columns.refunded_amount.number, &is_null);
  payment.refunded = is_null ? 0 : row_amount(refunded);
  return payment;
}

void init_revenue_rows() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait
