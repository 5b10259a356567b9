// session_stats().

#include "core/session_stats.hpp"
#include "pg/expanded_state.hpp"
#include "pg/interval.hpp"
#include "pg/row_result.hpp"

namespace brainsait {
namespace {

struct SessionState : core::SessionStats {
  static constexpr const char *type_name = "session_stats_state";
  using SessionStats::SessionStats;
};

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(session_stats_state, SessionState)
BRAINSAIT_COMBINE(session_stats, SessionState)

PG_FUNCTION_INFO_V1(brainsait_session_stats_add);

/// session_stats_add(state, ts timestamptz, gap interval): a null time is ignored; raises 22008 for
/// an infinite one.
Datum brainsait_session_stats_add(PG_FUNCTION_ARGS) {
  pg::require_argument(fcinfo, 2, "the gap");
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  TimestampTz time = PG_GETARG_TIMESTAMPTZ(1);
  pg::require_finite(time);
  int64 gap = pg::fixed_microseconds(PG_GETARG_INTERVAL_P(2), "the gap");
  auto *object = pg::transition_state<SessionState>(fcinfo);
  pg::run_guarded([&] { object->state.add(gap, time); });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_session_stats_final);

/// session_stats_final(state) -> session_stats_result: zeros where no row counted.
Datum brainsait_session_stats_final(PG_FUNCTION_ARGS) {
  core::SessionTotals totals;
  if (!PG_ARGISNULL(0)) {
    auto &state = pg::read_state<SessionState>(PG_GETARG_DATUM(0));
    pg::run_guarded([&] { totals = state.totals(); });
  }
  Datum values[] = {Int64GetDatum(totals.sessions), Int64GetDatum(totals.bounces),
                    IntervalPGetDatum(pg::make_fixed_interval(totals.total_duration)),
                    Int64GetDatum(totals.events)};
  bool nulls[] = {false, false, false, false};
  return pg::make_row(fcinfo, values, nulls);
}
}
