// Triggers on tenants: settings are checked when they are set, and every session hears of a change.

#include "core/order_number_template.hpp"
#include "order_number_plan.hpp"
#include "pg/guard.hpp"
#include "pg/time_zone.hpp"
#include "pg/trigger.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/jsonb.h"
}

namespace brainsait {
namespace {

/// The text under `key`; nullptr where the key is missing or null. Any other kind is refused.
const char *text_setting(Jsonb *settings, const char *key) {
  JsonbValue *value =
      getKeyJsonValueFromContainer(&settings->root, key, int(std::strlen(key)), nullptr);
  if (value == nullptr || value->type == jbvNull)
    return nullptr;
  if (value->type != jbvString)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("settings.%s must be a string", key)));
  return pnstrdup(value->val.string.val, value->val.string.len);
}

void require_time_zone(const char *name) {
  if (name == nullptr || pg::named_time_zone(name) != nullptr)
    return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("settings.timezone: time zone \"%s\" is not known", name),
                  errhint("Use a full name from pg_timezone_names, like Asia/Riyadh.")));
}

/// A tenant's own format must suit its slug. The configured one may change at any time, so against
/// it only the reset is checked.
void require_order_number_settings(const char *format, const char *reset, std::size_t slug_length) {
  core::OrderNumberTemplate parsed = order_number_template(order_number_format_text(format));
  pg::run_guarded([&] {
    if (format != nullptr)
      core::require_order_number_fits(parsed, slug_length);
    if (reset != nullptr)
      core::require_order_number_reset(parsed, core::parse_order_number_reset(reset));
  });
}

void validate_settings(Relation tenants, HeapTuple row) {
  TupleDesc columns = RelationGetDescr(tenants);
  bool is_null;
  Datum value =
      heap_getattr(row, pg::column_of_type(tenants, "settings", JSONBOID), columns, &is_null);
  if (is_null)
    return;
  Jsonb *settings = DatumGetJsonbP(value);
  if (!JB_ROOT_IS_OBJECT(settings))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("a tenant's settings must be a JSON object")));
  const char *slug = SPI_getvalue(row, columns, pg::column_number(tenants, "slug"));
  std::size_t slug_length = slug == nullptr ? 1 : std::strlen(slug);
  require_time_zone(text_setting(settings, "timezone"));
  require_order_number_settings(text_setting(settings, "order_number_format"),
                                text_setting(settings, "order_number_reset"), slug_length);
}

bool same_in(const char *column, Relation tenants, HeapTuple left_row, HeapTuple right_row) {
  TupleDesc columns = RelationGetDescr(tenants);
  int number = pg::column_number(tenants, column);
  Form_pg_attribute attribute = TupleDescAttr(columns, number - 1);
  bool left_null, right_null;
  Datum left = heap_getattr(left_row, number, columns, &left_null);
  Datum right = heap_getattr(right_row, number, columns, &right_null);
  if (left_null || right_null)
    return left_null && right_null;
  return datum_image_eq(left, right, attribute->attbyval, attribute->attlen);
}

/// Whether an update left alone every column that the trigger's arguments name.
bool keeps_named_columns(const TriggerData &data) {
  const Trigger &trigger = *data.tg_trigger;
  if (trigger.tgnargs == 0 || !TRIGGER_FIRED_FOR_ROW(data.tg_event) ||
      !TRIGGER_FIRED_BY_UPDATE(data.tg_event))
    return false;
  for (int i = 0; i < trigger.tgnargs; ++i)
    if (!same_in(trigger.tgargs[i], data.tg_relation, data.tg_trigtuple, data.tg_newtuple))
      return false;
  return true;
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_validate_tenant_settings);
PG_FUNCTION_INFO_V1(brainsait_tenant_changed);

/// validate_tenant_settings(): BEFORE INSERT OR UPDATE on tenants; raises 22023 for settings that
/// the store could not work with later.
Datum brainsait_validate_tenant_settings(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data =
      pg::trigger_data(fcinfo, "validate_tenant_settings", "BEFORE INSERT OR UPDATE FOR EACH ROW",
                       [](TriggerEvent event) {
                         return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
                                !TRIGGER_FIRED_BY_DELETE(event);
                       });
  HeapTuple row = TRIGGER_FIRED_BY_UPDATE(data.tg_event) ? data.tg_newtuple : data.tg_trigtuple;
  validate_settings(data.tg_relation, row);
  return PointerGetDatum(row);
}

/// tenant_changed(): AFTER any change of the table it stands on, or FOR EACH STATEMENT; sessions
/// that keep something of the table's rows hear of it through the relation cache, when the
/// transaction commits.
Datum brainsait_tenant_changed(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data = pg::trigger_data(
      fcinfo, "tenant_changed", "AFTER a change, or FOR EACH STATEMENT", [](TriggerEvent event) {
        return TRIGGER_FIRED_AFTER(event) || TRIGGER_FIRED_FOR_STATEMENT(event);
      });
  if (!keeps_named_columns(data))
    CacheInvalidateRelcacheByRelid(RelationGetRelid(data.tg_relation));
  return PointerGetDatum(nullptr);
}
}
