// approx_count_distinct(), and distinct_sketch() with what reads and rolls up such sketches.

#include "core/distinct_sketch.hpp"
#include "pg/state_functions.hpp"
#include "value_hasher.hpp"

namespace brainsait {
namespace {

struct DistinctSketchState : core::DistinctSketch {
  static constexpr const char *type_name = "distinct_sketch";
  using DistinctSketch::DistinctSketch;
};

std::int64_t count_of(Datum sketch) {
  const auto &state = pg::read_state<DistinctSketchState>(sketch);
  std::int64_t count = 0;
  pg::run_guarded([&] { count = state.count(); });
  return count;
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(distinct_sketch, DistinctSketchState)
BRAINSAIT_STATE_FUNCTIONS(distinct_sketch, DistinctSketchState)
BRAINSAIT_COMBINE(distinct_sketch, DistinctSketchState)

PG_FUNCTION_INFO_V1(brainsait_distinct_sketch_add);

/// distinct_sketch_add(state, value anyelement): a null value is ignored.
Datum brainsait_distinct_sketch_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  ValueHasher &hasher = ValueHasher::of_argument(fcinfo, 1);
  std::uint64_t hash = hasher.hash(PG_GETARG_DATUM(1));
  if (auto *running = pg::running_state<DistinctSketchState>(fcinfo))
    if (running->state.add_in_place(hasher.family(), hash))
      return PG_GETARG_DATUM(0);
  auto *object = pg::transition_state<DistinctSketchState>(fcinfo);
  pg::run_guarded([&] { object->state.add(hasher.family(), hash); });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_approx_count_distinct_final);

/// approx_count_distinct_final(state) -> bigint: 0 where no value counted.
Datum brainsait_approx_count_distinct_final(PG_FUNCTION_ARGS) {
  PG_RETURN_INT64(PG_ARGISNULL(0) ? 0 : count_of(PG_GETARG_DATUM(0)));
}

PG_FUNCTION_INFO_V1(brainsait_distinct_count);

/// distinct_count(distinct_sketch) -> bigint.
Datum brainsait_distinct_count(PG_FUNCTION_ARGS) { PG_RETURN_INT64(count_of(PG_GETARG_DATUM(0))); }

PG_FUNCTION_INFO_V1(brainsait_distinct_sketch_to_json);

/// distinct_sketch_to_json(distinct_sketch): behind the cast to json.
Datum brainsait_distinct_sketch_to_json(PG_FUNCTION_ARGS) {
  Datum datum = PG_GETARG_DATUM(0);
  const auto &state = pg::read_state<DistinctSketchState>(datum);
  PG_RETURN_TEXT_P(cstring_to_text(psprintf(
      "{\"count\": " INT64_FORMAT ", \"exact\": %s, \"values\": \"%s\"}", int64(count_of(datum)),
      state.exact() ? "true" : "false", core::family_name(state.family()))));
}
}
