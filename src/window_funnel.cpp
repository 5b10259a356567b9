// window_funnel() and window_funnel_times().

#include "core/window_funnel.hpp"
#include "pg/boolean_array.hpp"
#include "pg/expanded_state.hpp"
#include "pg/interval.hpp"

namespace brainsait {
namespace {

struct FunnelState : core::WindowFunnel {
  static constexpr const char *type_name = "window_funnel_state";
  using WindowFunnel::WindowFunnel;
};

/// A row's arguments: win, mode where `mode` is a number, then time and steps. Rows without time or
/// steps are ignored.
Datum add_row(FunctionCallInfo fcinfo, int mode, int time) {
  pg::require_argument(fcinfo, 1, "the window");
  if (mode > 0)
    pg::require_argument(fcinfo, mode, "the mode");
  if (PG_ARGISNULL(time) || PG_ARGISNULL(time + 1))
    return pg::unchanged_state(fcinfo);
  core::FunnelShape shape;
  shape.window = pg::fixed_microseconds(PG_GETARG_INTERVAL_P(1), "the window");
  text *modes = mode > 0 ? PG_GETARG_TEXT_PP(mode) : nullptr;
  pg::BooleanArray steps(PG_GETARG_ARRAYTYPE_P(time + 1));
  shape.steps = unsigned(steps.size());
  auto *object = pg::transition_state<FunnelState>(fcinfo);
  pg::run_guarded([&] {
    if (modes != nullptr)
      shape.modes = core::parse_funnel_modes({VARDATA_ANY(modes), VARSIZE_ANY_EXHDR(modes)});
    object->state.add(shape, PG_GETARG_TIMESTAMPTZ(time), uint32(steps.mask()));
  });
  return object->datum();
}

core::FunnelMatch match(FunctionCallInfo fcinfo) {
  core::FunnelMatch match;
  if (PG_ARGISNULL(0))
    return match;
  auto &state = pg::read_state<FunnelState>(PG_GETARG_DATUM(0));
  pg::run_guarded([&] { match = state.match(); });
  return match;
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(window_funnel_state, FunnelState)
BRAINSAIT_COMBINE(window_funnel, FunnelState)

PG_FUNCTION_INFO_V1(brainsait_window_funnel_add);

/// window_funnel_add(state, win interval, ts timestamptz, VARIADIC steps boolean[])
Datum brainsait_window_funnel_add(PG_FUNCTION_ARGS) { return add_row(fcinfo, 0, 2); }

PG_FUNCTION_INFO_V1(brainsait_window_funnel_add_with_mode);

/// window_funnel_add(state, win interval, mode text, ts timestamptz, VARIADIC steps boolean[])
Datum brainsait_window_funnel_add_with_mode(PG_FUNCTION_ARGS) { return add_row(fcinfo, 2, 3); }

PG_FUNCTION_INFO_V1(brainsait_window_funnel_final);

/// window_funnel_final(state) -> int: 0 where no row counted.
Datum brainsait_window_funnel_final(PG_FUNCTION_ARGS) {
  PG_RETURN_INT32(int32(match(fcinfo).level));
}

PG_FUNCTION_INFO_V1(brainsait_window_funnel_times_final);

/// window_funnel_times_final(state) -> timestamptz[]: empty where no step was reached.
Datum brainsait_window_funnel_times_final(PG_FUNCTION_ARGS) {
  core::FunnelMatch found = match(fcinfo);
  Datum times[core::max_funnel_steps];
  for (unsigned step = 0; step < found.level; ++step)
    times[step] = TimestampTzGetDatum(found.times[step]);
  PG_RETURN_ARRAYTYPE_P(construct_array(times, int(found.level), TIMESTAMPTZOID,
                                        sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
}
