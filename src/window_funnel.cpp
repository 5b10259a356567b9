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

// Header and state of a group, with its first rows, are one chunk of memory.
static_assert(sizeof(pg::StateObject<FunnelState>) <= 256);

/// The modes that a call site was given last, since they are a constant as a rule.
struct KnownModes {
  std::size_t size = 0;
  unsigned modes = 0;
  char list[128];
};

unsigned modes_of(FunctionCallInfo fcinfo, int argument) {
  text *given = PG_GETARG_TEXT_PP(argument);
  const std::string_view list(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given));
  auto *known = static_cast<KnownModes *>(fcinfo->flinfo->fn_extra);
  if (known != nullptr && std::string_view(known->list, known->size) == list)
    return known->modes;
  unsigned modes = 0;
  pg::run_guarded([&] { modes = core::parse_funnel_modes(list); });
  if (list.size() <= sizeof known->list) {
    if (known == nullptr)
      fcinfo->flinfo->fn_extra = known =
          new (MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(KnownModes))) KnownModes;
    known->size = list.copy(known->list, sizeof known->list);
    known->modes = modes;
  }
  return modes;
}

/// Which steps a row matches.
struct Steps {
  unsigned count = 0;
  uint32 reached = 0;
};

/// Argument `first`, the array of a VARIADIC call, which is not null.
Steps steps_of_array(FunctionCallInfo fcinfo, int first) {
  Steps steps;
  pg::BooleanArray conditions(PG_GETARG_ARRAYTYPE_P(first));
  steps.count = unsigned(conditions.size());
  steps.reached = uint32(conditions.mask());
  return steps;
}

/// Arguments from `first` on: no array is made of them, which would cost more than all else that
/// is done for a row.
Steps steps_one_by_one(FunctionCallInfo fcinfo, int first) {
  Steps steps;
  steps.count = unsigned(PG_NARGS() - first);
  for (int i = first; i < PG_NARGS(); ++i)
    steps.reached |= uint32(!PG_ARGISNULL(i) && PG_GETARG_BOOL(i)) << (i - first);
  return steps;
}

/// A row's arguments: win, mode where `mode` is a number, then time and what `steps_of` reads. Rows
/// without time or steps are ignored.
template <Steps (*steps_of)(FunctionCallInfo, int)>
Datum add_row(FunctionCallInfo fcinfo, int mode, int time) {
  pg::require_argument(fcinfo, 1, "the window");
  if (mode > 0)
    pg::require_argument(fcinfo, mode, "the mode");
  if (PG_ARGISNULL(time) || (steps_of == steps_of_array && PG_ARGISNULL(time + 1)))
    return pg::unchanged_state(fcinfo);
  const Steps steps = steps_of(fcinfo, time + 1);
  core::FunnelShape shape;
  shape.window = pg::fixed_microseconds(PG_GETARG_INTERVAL_P(1), "the window");
  shape.modes = mode > 0 ? modes_of(fcinfo, mode) : 0;
  shape.steps = steps.count;
  const TimestampTz at = PG_GETARG_TIMESTAMPTZ(time);
  auto *object = pg::running_state<FunnelState>(fcinfo);
  if (object != nullptr && object->state.add_in_place(shape, at, steps.reached))
    return PG_GETARG_DATUM(0);
  object = pg::transition_state<FunnelState>(fcinfo);
  pg::run_guarded([&] { object->state.add(shape, at, steps.reached); });
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
Datum brainsait_window_funnel_add(PG_FUNCTION_ARGS) {
  return add_row<steps_of_array>(fcinfo, 0, 2);
}

PG_FUNCTION_INFO_V1(brainsait_window_funnel_add_with_mode);

/// window_funnel_add(state, win interval, mode text, ts timestamptz, VARIADIC steps boolean[])
Datum brainsait_window_funnel_add_with_mode(PG_FUNCTION_ARGS) {
  return add_row<steps_of_array>(fcinfo, 2, 3);
}

PG_FUNCTION_INFO_V1(brainsait_window_funnel_add_steps);

/// window_funnel_add(state, win interval, ts timestamptz, step boolean, ...)
Datum brainsait_window_funnel_add_steps(PG_FUNCTION_ARGS) {
  return add_row<steps_one_by_one>(fcinfo, 0, 2);
}

PG_FUNCTION_INFO_V1(brainsait_window_funnel_add_steps_with_mode);

/// window_funnel_add(state, win interval, mode text, ts timestamptz, step boolean, ...)
Datum brainsait_window_funnel_add_steps_with_mode(PG_FUNCTION_ARGS) {
  return add_row<steps_one_by_one>(fcinfo, 2, 3);
}

PG_FUNCTION_INFO_V1(brainsait_window_funnel_final);

/// window_funnel_final(state) -> int: 0 where no row counted.
Datum brainsait_window_funnel_final(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_INT32(0);
  auto &state = pg::read_state<FunnelState>(PG_GETARG_DATUM(0));
  unsigned level = 0;
  pg::run_guarded([&] { level = state.level(); });
  PG_RETURN_INT32(int32(level));
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
