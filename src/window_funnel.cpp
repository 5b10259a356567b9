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
  shape.modes = mode > 0 ? modes_of(fcinfo, mode) : 0;
  pg::BooleanArray steps(PG_GETARG_ARRAYTYPE_P(time + 1));
  shape.steps = unsigned(steps.size());
  const TimestampTz at = PG_GETARG_TIMESTAMPTZ(time);
  const auto reached = uint32(steps.mask());
  auto *object = pg::running_state<FunnelState>(fcinfo);
  if (object != nullptr && object->state.add_in_place(shape, at, reached))
    return PG_GETARG_DATUM(0);
  object = pg::transition_state<FunnelState>(fcinfo);
  pg::run_guarded([&] { object->state.add(shape, at, reached); });
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
