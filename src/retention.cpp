// retention(), retention_sum() and funnel_counts().

#include "core/retention.hpp"
#include "pg/boolean_array.hpp"
#include "pg/expanded_state.hpp"

namespace brainsait {
namespace {

struct RetentionState : core::Retention {
  static constexpr const char *type_name = "retention_state";
  using Retention::Retention;
};

struct RetentionSumState : core::ElementwiseCounts {
  static constexpr const char *type_name = "retention_sum_state";
  using ElementwiseCounts::ElementwiseCounts;
};

struct FunnelCountsState : core::ElementwiseCounts {
  static constexpr const char *type_name = "funnel_counts_state";
  using ElementwiseCounts::ElementwiseCounts;
};

template <typename State> Datum counts_as_array(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  auto counts = pg::read_state<State>(PG_GETARG_DATUM(0)).counts();
  if (counts.empty())
    PG_RETURN_NULL();
  auto *elements = static_cast<Datum *>(palloc(counts.size() * sizeof(Datum)));
  for (std::size_t i = 0; i < counts.size(); ++i)
    elements[i] = Int64GetDatum(counts[i]);
  PG_RETURN_ARRAYTYPE_P(construct_array(elements, int(counts.size()), INT8OID, sizeof(int64),
                                        FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(retention_state, RetentionState)
BRAINSAIT_STATE_TYPE(retention_sum_state, RetentionSumState)
BRAINSAIT_STATE_TYPE(funnel_counts_state, FunnelCountsState)
BRAINSAIT_COMBINE(retention, RetentionState)
BRAINSAIT_COMBINE(retention_sum, RetentionSumState)
BRAINSAIT_COMBINE(funnel_counts, FunnelCountsState)

PG_FUNCTION_INFO_V1(brainsait_retention_add);

/// retention_add(state, VARIADIC conditions boolean[]): a null array is a row to ignore.
Datum brainsait_retention_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  pg::BooleanArray conditions(PG_GETARG_ARRAYTYPE_P(1));
  auto *object = pg::transition_state<RetentionState>(fcinfo);
  pg::run_guarded([&] { object->state.add(unsigned(conditions.size()), conditions.mask()); });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_retention_final);

/// retention_final(state) -> boolean[]: null where no row counted.
Datum brainsait_retention_final(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  auto &state = pg::read_state<RetentionState>(PG_GETARG_DATUM(0));
  if (state.size() == 0)
    PG_RETURN_NULL();
  Datum elements[core::Retention::max_conditions];
  for (unsigned i = 0; i < state.size(); ++i)
    elements[i] = BoolGetDatum(state.holds(i));
  PG_RETURN_ARRAYTYPE_P(
      construct_array(elements, int(state.size()), BOOLOID, 1, true, TYPALIGN_CHAR));
}

PG_FUNCTION_INFO_V1(brainsait_retention_sum_add);

/// retention_sum_add(state, flags boolean[]): adds one to each element that is true.
Datum brainsait_retention_sum_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  pg::BooleanArray flags(PG_GETARG_ARRAYTYPE_P(1));
  auto *object = pg::transition_state<RetentionSumState>(fcinfo);
  pg::run_guarded([&] {
    object->state.set_length(std::size_t(flags.size()));
    flags.for_each_true([&](int i) { object->state.add(std::size_t(i)); });
  });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_retention_sum_final);

/// retention_sum_final(state) -> bigint[]: null where no row counted.
Datum brainsait_retention_sum_final(PG_FUNCTION_ARGS) {
  return counts_as_array<RetentionSumState>(fcinfo);
}

PG_FUNCTION_INFO_V1(brainsait_funnel_counts_add);

/// funnel_counts_add(state, level int, steps int): a user who reached `level` of `steps` steps
/// counts under each step up to it. A null level is ignored; raises 22023 for a level that is not
/// 0 to steps.
Datum brainsait_funnel_counts_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(2))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the number of steps must not be null")));
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  int32 level = PG_GETARG_INT32(1), steps = PG_GETARG_INT32(2);
  if (level < 0 || level > steps)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("level %d is not one of 0 to %d steps", level, steps)));
  auto *object = pg::transition_state<FunnelCountsState>(fcinfo);
  pg::run_guarded([&] {
    object->state.set_length(std::size_t(steps));
    for (int32 step = 0; step < level; ++step)
      object->state.add(std::size_t(step));
  });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_funnel_counts_final);

/// funnel_counts_final(state) -> bigint[]: null where no row counted.
Datum brainsait_funnel_counts_final(PG_FUNCTION_ARGS) {
  return counts_as_array<FunnelCountsState>(fcinfo);
}
}
