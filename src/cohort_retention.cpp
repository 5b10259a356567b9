// cohort_retention(): activity by calendar period after a customer's first day.

#include "core/cohort_retention.hpp"
#include "pg/expanded_state.hpp"
#include "pg/interval.hpp"
#include "pg/time_zone.hpp"

namespace brainsait {
namespace {

struct CohortState : core::CohortRetention {
  static constexpr const char *type_name = "cohort_retention_state";
  using CohortRetention::CohortRetention;
};

std::string_view view(text *value) { return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)}; }

bool is_on_or_after(text *mode) {
  if (view(mode) != "on" && view(mode) != "on_or_after")
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown mode \"%s\"", text_to_cstring(mode)),
                    errhint("Modes are \"on\" and \"on_or_after\".")));
  return view(mode) == "on_or_after";
}

pg_tz *zone_of(const char *name) {
  pg_tz *zone = pg::named_time_zone(name);
  if (zone == nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("time zone \"%s\" not recognized", name),
                    errhint("Use a name as \"Asia/Riyadh\" or \"UTC\".")));
  return zone;
}

void compute_boundaries(CohortState &state, const core::CohortRetention::Shape &shape,
                        const Interval &period, pg_tz *zone) {
  auto *boundaries = static_cast<TimestampTz *>(palloc((shape.periods + 1) * sizeof(TimestampTz)));
  TimestampTz latest = shape.anchor;
  for (unsigned i = 0; i <= shape.periods; ++i) {
    // Where a zone's clock goes back, a later period may seem to begin earlier.
    latest = Max(latest, pg::add_in_zone(shape.anchor, period, int32(i), zone));
    boundaries[i] = latest;
  }
  pg::run_guarded([&] { state.set_boundaries({boundaries, shape.periods + 1}); });
  pfree(boundaries);
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(cohort_retention_state, CohortState)
BRAINSAIT_COMBINE(cohort_retention, CohortState)

PG_FUNCTION_INFO_V1(brainsait_cohort_retention_add);

/// cohort_retention_add(state, anchor timestamptz, ts timestamptz, period interval, n int
/// [, mode text [, time_zone text]]): rows without anchor or time are ignored. Raises 22023 for
/// parameters that make no sense or differ within a group, 22008 for an infinite anchor and for
/// periods beyond the range of timestamps.
Datum brainsait_cohort_retention_add(PG_FUNCTION_ARGS) {
  pg::require_argument(fcinfo, 3, "the period");
  pg::require_argument(fcinfo, 4, "the number of periods");
  if (PG_NARGS() > 5)
    pg::require_argument(fcinfo, 5, "the mode");
  if (PG_NARGS() > 6)
    pg::require_argument(fcinfo, 6, "the time zone");
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
    return pg::unchanged_state(fcinfo);
  const Interval &period = *PG_GETARG_INTERVAL_P(3);
  pg_tz *zone = zone_of(PG_NARGS() > 6 ? text_to_cstring(PG_GETARG_TEXT_PP(6)) : "UTC");
  core::CohortRetention::Shape shape;
  shape.anchor = PG_GETARG_TIMESTAMPTZ(1);
  pg::require_finite(shape.anchor);
  shape.months = period.month;
  shape.days = period.day;
  shape.microseconds = period.time;
  shape.periods = unsigned(PG_GETARG_INT32(4));
  shape.on_or_after = PG_NARGS() > 5 && is_on_or_after(PG_GETARG_TEXT_PP(5));
  shape.zone = pg_get_timezone_name(zone);
  auto *object = pg::transition_state<CohortState>(fcinfo);
  pg::run_guarded([&] { object->state.take_shape(shape); });
  if (object->state.needs_boundaries())
    compute_boundaries(object->state, shape, period, zone);
  object->state.add(PG_GETARG_TIMESTAMPTZ(2));
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_cohort_retention_final);

/// cohort_retention_final(state) -> boolean[]: null where no row counted.
Datum brainsait_cohort_retention_final(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  auto &state = pg::read_state<CohortState>(PG_GETARG_DATUM(0));
  Datum elements[core::CohortRetention::max_periods];
  for (unsigned i = 0; i < state.periods(); ++i)
    elements[i] = BoolGetDatum(state.is_active(i));
  PG_RETURN_ARRAYTYPE_P(
      construct_array(elements, int(state.periods()), BOOLOID, 1, true, TYPALIGN_CHAR));
}
}
