// Order numbers: the trigger that fills orders.number, next_order_number(),
// order_number_is_valid().

#include "order_number.hpp"

#include "core/order_number.hpp"
#include "order_number_codes.hpp"
#include "order_number_counters.hpp"
#include "order_number_plan.hpp"
#include "order_number_probe.hpp"
#include "pg/guard.hpp"
#include "pg/trigger.hpp"
#include "tenant_context.hpp"

extern "C" {
#include "access/table.h"
#include "utils/rls.h"
}

namespace brainsait {
namespace {

// Codes that are taken are numbers that somebody gave by hand; so many in a row are no accident.
constexpr int max_codes_tried = 10'000;
// Beyond so many numbers that are taken in a row, the search makes longer steps.
constexpr int single_steps = 100;

/// Makes one number. Plain data.
struct NumberMaker {
  const pg::Store &store;
  const OrdersTable &table;
  Relation orders;
  const OrderNumberPlan &plan;
  core::OrderNumberFields fields;
  core::CodeText code;
  core::OrderNumber number;

  bool taken() {
    fields.code = code.view();
    pg::run_guarded([&] { number = core::render_order_number(plan.format, fields); });
    return order_number_taken(table, orders, number.view());
  }

  bool taken_at(int64 sequence) {
    fields.sequence = sequence;
    return taken();
  }
};

void set_date(NumberMaker &maker, TimestampTz time, SeriesKey &key) {
  const OrderNumberPlan &plan = maker.plan;
  key.period[0] = '\0';
  if (!plan.needs_date)
    return;
  pg::LocalDate date = pg::local_date_parts(time, plan.time_zone);
  maker.fields.year = date.year;
  maker.fields.month = date.month;
  maker.fields.day = date.day;
  maker.fields.day_of_year = date.day_of_year;
  if (!plan.format.has_sequence())
    return;
  switch (plan.reset) {
  case core::OrderNumberReset::never:
    break;
  case core::OrderNumberReset::year:
    pg_snprintf(key.period, sizeof key.period, "%04d", date.year);
    break;
  case core::OrderNumberReset::month:
    pg_snprintf(key.period, sizeof key.period, "%04d-%02d", date.year, date.month);
    break;
  case core::OrderNumberReset::day:
    pg_snprintf(key.period, sizeof key.period, "%04d-%02d-%02d", date.year, date.month, date.day);
    break;
  }
}

/// The maker's code or sequence moves on until its number is free.
void try_codes(NumberMaker &maker) {
  for (int tried = 0; tried < max_codes_tried; ++tried) {
    CHECK_FOR_INTERRUPTS();
    maker.code = next_order_code(maker.store, maker.plan.format.code_width);
    if (!maker.taken())
      return;
  }
  ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                  errmsg("%d order numbers in a row are taken already", max_codes_tried),
                  errhint("Give the tenant another order_number_format.")));
}

/// The first free number after `first`, which is taken. Numbers that were given by hand are few, so
/// steps are single at first. A series that starts anew over numbers of an earlier one finds them
/// taken in one block: doubling steps find its far side, halving ones its end.
int64 free_sequence_after(NumberMaker &maker, int64 first) {
  int64 taken = first;
  int64 step = 1;
  for (int count = 0;; ++count) {
    CHECK_FOR_INTERRUPTS();
    int64 next;
    if (pg_add_s64_overflow(taken, step, &next))
      ereport(ERROR,
              (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
               errmsg("no free order number was found after %lld", static_cast<long long>(first))));
    if (!maker.taken_at(next)) {
      int64 free = next;
      while (free - taken > 1) {
        int64 middle = taken + (free - taken) / 2;
        (maker.taken_at(middle) ? taken : free) = middle;
      }
      return free;
    }
    taken = next;
    if (count >= single_steps)
      step *= 2;
  }
}

void count_and_try(NumberMaker &maker, const SeriesKey &key) {
  Counter &counter = count_on(maker.store, key);
  maker.fields.sequence = counter_value(counter);
  if (maker.plan.format.has_code()) {
    try_codes(maker);
  } else if (maker.taken()) {
    int64 free = free_sequence_after(maker, counter_value(counter));
    advance_counter(maker.store, counter, free);
    (void)maker.taken_at(free);
  }
}

/// A number that no row of `orders` has, as far as this transaction can know.
core::OrderNumber make_number(const pg::Store &store, Relation orders, const OrdersTable &table,
                              const pg_uuid_t &tenant, TimestampTz time) {
  const OrderNumberPlan plan = order_number_plan(tenant_settings(store, tenant));
  NumberMaker maker = {store, table, orders, plan, {}, {}, {}};
  maker.fields.slug = plan.slug;
  SeriesKey key = {};
  key.tenant = tenant;
  key.series = plan.series;
  set_date(maker, time, key);
  if (plan.format.has_sequence())
    count_and_try(maker, key);
  else
    try_codes(maker);
  return maker.number;
}

/// Whether the wall will refuse this user's row of `tenant`: that row must not use up that tenant's
/// numbers, nor wait for its counter. Operators cross tenants; they are subject to row security,
/// too.
bool will_be_refused(Relation orders, const pg_uuid_t &tenant) {
  const pg_uuid_t *own = current_tenant();
  if (own != nullptr && std::memcmp(own, &tenant, sizeof tenant) == 0)
    return false;
  if (check_enable_rls(RelationGetRelid(orders), InvalidOid, true) != RLS_ENABLED)
    return false;
  Oid user = GetUserId();
  Oid operators = get_role_oid("brainsait_operator", true);
  if (!OidIsValid(operators) || !has_privs_of_role(user, operators))
    return true;
  for (const char *name : {"brainsait_app", "brainsait_owner"}) {
    Oid walled = get_role_oid(name, true);
    if (OidIsValid(walled) && has_privs_of_role(user, walled))
      return true;
  }
  return false;
}

/// A tenant may be gone although the transaction is its own: that very transaction deleted it.
void require_tenant(const pg::Store &store, const pg_uuid_t &tenant) {
  if (!tenant_settings(store, tenant).exists)
    ereport(ERROR,
            (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
             errmsg("tenant %s does not exist",
                    DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant))))));
}

Datum text_of_number(const core::OrderNumber &number) {
  return PointerGetDatum(cstring_to_text_with_len(number.characters.data(), number.length));
}

HeapTuple without_number(HeapTuple row, Relation orders, int column) {
  Datum value = Datum(0);
  bool is_null = true;
  return heap_modify_tuple_by_cols(row, RelationGetDescr(orders), 1, &column, &value, &is_null);
}

HeapTuple fill_number(const pg::Store &store, Relation orders, HeapTuple row) {
  const OrdersTable table = orders_table(store, orders);
  TupleDesc columns = RelationGetDescr(orders);
  bool is_null;
  Datum number = heap_getattr(row, table.number, columns, &is_null);
  if (!is_null && VARSIZE_ANY_EXHDR(DatumGetVarCharPP(number)) > 0)
    return row;
  Datum tenant_value = heap_getattr(row, table.tenant_id, columns, &is_null);
  if (is_null)
    return row; // refused by NOT NULL, or by the wall before that
  const pg_uuid_t tenant = *DatumGetUUIDP(tenant_value);
  // The wall is checked before NOT NULL, so what it lets through by mistake still does not get in.
  if (will_be_refused(orders, tenant))
    return without_number(row, orders, table.number);
  require_tenant(store, tenant);
  Datum created_at = heap_getattr(row, table.created_at, columns, &is_null);
  TimestampTz time =
      is_null ? GetCurrentTransactionStartTimestamp() : DatumGetTimestampTz(created_at);
  core::OrderNumber made = make_number(store, orders, table, tenant, time);
  return pg::with_column(row, orders, table.number, text_of_number(made));
}

core::OrderNumber next_number(const pg::Store &store) {
  const pg_uuid_t *tenant = current_tenant();
  if (tenant == nullptr)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no tenant is set"),
                    errhint("Call set_tenant() first.")));
  require_tenant(store, *tenant);
  Oid relation = get_relname_relid("orders", store.schema);
  if (!OidIsValid(relation))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation %s.orders does not exist", store.quoted_schema)));
  // The lock of an INSERT: what is probed here is about to be inserted.
  Relation orders = table_open(relation, RowExclusiveLock);
  const OrdersTable table = orders_table(store, orders);
  core::OrderNumber number =
      make_number(store, orders, table, *tenant, GetCurrentTransactionStartTimestamp());
  table_close(orders, NoLock);
  return number;
}

} // namespace

void init_order_number() {
  init_order_number_plan();
  init_order_number_probe();
  init_order_number_codes();
  init_order_number_counters();
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_order_number_fill);
PG_FUNCTION_INFO_V1(brainsait_next_order_number);
PG_FUNCTION_INFO_V1(brainsait_order_number_is_valid);

/// order_number_fill(): BEFORE INSERT on orders; makes a number where none is given.
Datum brainsait_order_number_fill(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data = pg::trigger_data(
      fcinfo, "order_number_fill", "BEFORE INSERT FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               TRIGGER_FIRED_BY_INSERT(event);
      });
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  return PointerGetDatum(fill_number(store, data.tg_relation, data.tg_trigtuple));
}

/// next_order_number(): a number of the current tenant's, for an order that is still to be written.
/// Errors: 55000 no tenant is set; 23503 this transaction deleted it; those of the trigger.
Datum brainsait_next_order_number(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  PreventCommandIfReadOnly("next_order_number()");
  PreventCommandIfParallelMode("next_order_number()");
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  PG_RETURN_DATUM(text_of_number(next_number(store)));
}

/// order_number_is_valid(number, format): whether the number could be one of that format, or, where
/// format is null, of the current tenant's. Errors: 22023 malformed format; 55000 neither format
/// nor tenant.
Datum brainsait_order_number_is_valid(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  const text *number = PG_GETARG_TEXT_PP(0);
  const pg_uuid_t *tenant = current_tenant();
  const char *format = PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1));
  const char *slug = nullptr;
  if (tenant != nullptr) {
    const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
    const TenantSettings &settings = tenant_settings(store, *tenant);
    if (settings.exists) // not where this transaction deleted it
      slug = pstrdup(settings.slug);
    if (format == nullptr)
      format = pstrdup(order_number_format_text(settings.order_number_format));
  } else if (format == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("neither a format is given nor a tenant set"),
                    errhint("Name the format, or call set_tenant() first.")));
  }
  const core::OrderNumberTemplate parsed = order_number_template(format);
  std::string_view digits(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number));
  std::optional<std::string_view> known_slug;
  if (slug != nullptr)
    known_slug = slug;
  PG_RETURN_BOOL(core::order_number_matches(parsed, digits, known_slug));
}
}
