// sparkline().

#include "core/sparkline.hpp"
#include "pg/expanded_state.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

struct SparklineState : core::Sparkline {
  static constexpr const char *type_name = "sparkline_state";
  using Sparkline::Sparkline;
};

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(sparkline_state, SparklineState)

PG_FUNCTION_INFO_V1(brainsait_sparkline_add);

/// sparkline_add(state, value numeric): a null is ignored.
Datum brainsait_sparkline_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  double value = DatumGetFloat8(
      DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(PG_GETARG_NUMERIC(1))));
  auto *object = pg::transition_state<SparklineState>(fcinfo);
  pg::run_guarded([&] { object->state.add(value); });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_sparkline_final);

/// sparkline_final(state) -> text: null where no row counted. Raises where the database's encoding
/// lacks block characters.
Datum brainsait_sparkline_final(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  auto &state = pg::read_state<SparklineState>(PG_GETARG_DATUM(0));
  pg::PallocResource memory(CurrentMemoryContext);
  const char *drawn = nullptr;
  int size = 0;
  pg::run_guarded([&] {
    // The text is forgotten, not destroyed: its memory is the context's.
    void *place = memory.allocate(sizeof(std::pmr::string), alignof(std::pmr::string));
    auto *text = new (place) std::pmr::string(state.draw(&memory));
    drawn = text->c_str();
    size = int(text->size());
  });
  char *converted = pg_any_to_server(drawn, size, PG_UTF8);
  PG_RETURN_TEXT_P(converted == drawn ? cstring_to_text_with_len(drawn, size)
                                      : cstring_to_text(converted));
}
}
