// quantile_sketch() with what reads, rolls up, adds and subtracts such sketches.

#include "core/quantile_sketch.hpp"
#include "pg/state_functions.hpp"

extern "C" {
#include "lib/stringinfo.h"
#include "utils/float.h"
}

namespace brainsait {
namespace {

constexpr double default_relative_error = 0.01;

struct QuantileSketchState : core::QuantileSketch {
  static constexpr const char *type_name = "quantile_sketch";
  using QuantileSketch::QuantileSketch;
};

/// A new flat sketch: the first argument, changed by `change(state, second argument)`.
template <typename Change> Datum changed_copy(FunctionCallInfo fcinfo, Change &&change) {
  auto *object = pg::copy_state<QuantileSketchState>(PG_GETARG_DATUM(0), CurrentMemoryContext);
  const auto &other = pg::read_state<QuantileSketchState>(PG_GETARG_DATUM(1));
  pg::run_guarded([&] { change(object->state, other); });
  PG_RETURN_POINTER(pg::flat_state(object->state));
}

/// JSON has no numbers for infinities and NaN.
void append_number(StringInfo json, double value) {
  const char *quote = std::isfinite(value) ? "" : "\"";
  appendStringInfo(json, "%s%s%s", quote, float8out_internal(value), quote);
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(quantile_sketch, QuantileSketchState)
BRAINSAIT_STATE_FUNCTIONS(quantile_sketch, QuantileSketchState)
BRAINSAIT_COMBINE(quantile_sketch, QuantileSketchState)

PG_FUNCTION_INFO_V1(brainsait_quantile_sketch_add);

/// quantile_sketch_add(state, value double precision [, relative_error]): a null value is ignored.
Datum brainsait_quantile_sketch_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  double relative_error = default_relative_error;
  if (PG_NARGS() > 2) {
    if (PG_ARGISNULL(2))
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("the relative error must not be null")));
    relative_error = PG_GETARG_FLOAT8(2);
  }
  double value = PG_GETARG_FLOAT8(1);
  if (auto *running = pg::running_state<QuantileSketchState>(fcinfo))
    if (running->state.add_in_place(value, relative_error))
      return PG_GETARG_DATUM(0);
  auto *object = pg::transition_state<QuantileSketchState>(fcinfo);
  pg::run_guarded([&] {
    object->state.set_relative_error(relative_error);
    object->state.add(value);
  });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_approx_percentile);

/// approx_percentile(fraction, quantile_sketch) -> double precision: null for an empty sketch.
Datum brainsait_approx_percentile(PG_FUNCTION_ARGS) {
  const auto &state = pg::read_state<QuantileSketchState>(PG_GETARG_DATUM(1));
  double fraction = PG_GETARG_FLOAT8(0);
  std::optional<double> value;
  pg::run_guarded([&] { value = state.percentile(fraction); });
  if (!value)
    PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*value);
}

PG_FUNCTION_INFO_V1(brainsait_quantile_sketch_plus);

/// The operator +: a sketch of the values of both.
Datum brainsait_quantile_sketch_plus(PG_FUNCTION_ARGS) {
  return changed_copy(fcinfo, [](auto &state, const auto &other) { state.merge(other); });
}

PG_FUNCTION_INFO_V1(brainsait_quantile_sketch_minus);

/// The operator -: a sketch of the first one's values without the second's. Raises 22023 where the
/// second is no part of the first.
Datum brainsait_quantile_sketch_minus(PG_FUNCTION_ARGS) {
  return changed_copy(fcinfo, [](auto &state, const auto &other) { state.subtract(other); });
}

PG_FUNCTION_INFO_V1(brainsait_quantile_sketch_to_json);

/// quantile_sketch_to_json(quantile_sketch): behind the cast to json.
Datum brainsait_quantile_sketch_to_json(PG_FUNCTION_ARGS) {
  const auto &state = pg::read_state<QuantileSketchState>(PG_GETARG_DATUM(0));
  StringInfoData json;
  initStringInfo(&json);
  appendStringInfoString(&json, "{\"relative_error\": ");
  append_number(&json, state.mapping().relative_error());
  appendStringInfo(&json, ", \"count\": " INT64_FORMAT ", \"buckets\": [", int64(state.count()));
  const char *separator = "";
  state.buckets().for_each([&](std::int32_t key, std::int64_t count) {
    appendStringInfo(&json, "%s[", separator);
    append_number(&json, state.mapping().value(key));
    appendStringInfo(&json, ", " INT64_FORMAT "]", int64(count));
    separator = ", ";
  });
  appendStringInfoString(&json, "]}");
  PG_RETURN_TEXT_P(cstring_to_text_with_len(json.data, json.len));
}
}
