// top_k(), and top_k_sketch() with what reads and rolls up such sketches.

#include "core/top_k.hpp"
#include "pg/numeric.hpp"
#include "pg/state_functions.hpp"

extern "C" {
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/json.h"
#include "utils/typcache.h"
}

namespace brainsait {
namespace {

struct TopKState : core::TopK {
  static constexpr const char *type_name = "top_k_sketch";
  using TopK::TopK;

  /// Keys are texts of this database, so they have to be ones in its encoding.
  void load(std::span<const std::uint8_t> bytes) {
    TopK::load(bytes);
    for (const Entry &entry : entries())
      if (!pg_verify_mbstr(GetDatabaseEncoding(), entry.text, int(entry.size), true))
        throw core::Error(core::ErrorKind::corrupted, "A key is no text of this encoding.");
  }
};

/// The entries to report, with bounds that fit.
struct Report {
  const core::TopK::Entry *entries;
  std::size_t count;
};

Report report_of(const TopKState &state) {
  Report report{};
  pg::PallocResource memory(CurrentMemoryContext);
  pg::run_guarded([&] {
    auto best = state.top(&memory);
    for (const auto &entry : best) {
      static_cast<void>(entry.lower());
      static_cast<void>(entry.upper());
    }
    auto *copy = static_cast<core::TopK::Entry *>(
        memory.allocate(std::max<std::size_t>(best.size(), 1) * sizeof(core::TopK::Entry),
                        alignof(core::TopK::Entry)));
    std::copy(best.begin(), best.end(), copy);
    report = {copy, best.size()};
  });
  return report;
}

Datum entry_datum(const core::TopK::Entry &entry, int scale, TupleDesc row_type) {
  Datum values[] = {
      PointerGetDatum(cstring_to_text_with_len(entry.text, int(entry.size))),
      pg::numeric_datum(entry.weight, scale),
      pg::numeric_datum(entry.lower(), scale),
      pg::numeric_datum(entry.upper(), scale),
      BoolGetDatum(entry.exact()),
  };
  bool nulls[] = {false, false, false, false, false};
  return HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(top_k_sketch, TopKState)
BRAINSAIT_STATE_FUNCTIONS(top_k_sketch, TopKState)
BRAINSAIT_COMBINE(top_k_sketch, TopKState)

PG_FUNCTION_INFO_V1(brainsait_top_k_sketch_add);

/// top_k_sketch_add(state, key text, weight numeric, k int): a null key or weight is ignored.
Datum brainsait_top_k_sketch_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(3))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k must not be null")));
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
    return pg::unchanged_state(fcinfo);
  text *key = PG_GETARG_TEXT_PP(1);
  auto *weight = reinterpret_cast<Numeric>(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(2)));
  std::int32_t k = PG_GETARG_INT32(3);
  auto *object = pg::transition_state<TopKState>(fcinfo);
  pg::run_guarded([&] {
    object->state.set_k(k);
    pg::Decimal decimal = pg::decimal_of(weight);
    object->state.add({VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)}, decimal.value, decimal.scale);
  });
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_top_k_entries);

/// top_k_entries(top_k_sketch) -> top_k_entry[], heaviest first: null for a null sketch.
Datum brainsait_top_k_entries(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  const auto &state = pg::read_state<TopKState>(PG_GETARG_DATUM(0));
  Report report = report_of(state);
  Oid entry_type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
  TupleDesc row_type = lookup_rowtype_tupdesc_copy(entry_type, -1);
  auto *elements = static_cast<Datum *>(palloc((report.count + 1) * sizeof(Datum)));
  for (std::size_t i = 0; i < report.count; ++i)
    elements[i] = entry_datum(report.entries[i], state.scale(), row_type);
  PG_RETURN_ARRAYTYPE_P(
      construct_array(elements, int(report.count), entry_type, -1, false, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(brainsait_top_k_sketch_to_json);

/// top_k_sketch_to_json(top_k_sketch): behind the cast to json; the entries of top_k_entries().
Datum brainsait_top_k_sketch_to_json(PG_FUNCTION_ARGS) {
  const auto &state = pg::read_state<TopKState>(PG_GETARG_DATUM(0));
  Report report = report_of(state);
  StringInfoData json;
  initStringInfo(&json);
  appendStringInfo(&json, "{\"k\": %d, \"keys\": %zu, \"entries\": [", state.k(),
                   state.entries().size());
  auto append_weight = [&](const char *name, core::Decimal128 weight) {
    Datum number = pg::numeric_datum(weight, state.scale());
    appendStringInfo(&json, ", \"%s\": %s", name,
                     DatumGetCString(DirectFunctionCall1(numeric_out, number)));
  };
  for (std::size_t i = 0; i < report.count; ++i) {
    const core::TopK::Entry &entry = report.entries[i];
    appendStringInfoString(&json, i == 0 ? "{\"key\": " : ", {\"key\": ");
    escape_json(&json, pnstrdup(entry.text == nullptr ? "" : entry.text, entry.size));
    append_weight("weight", entry.weight);
    append_weight("lower_bound", entry.lower());
    append_weight("upper_bound", entry.upper());
    appendStringInfo(&json, ", \"exact\": %s}", entry.exact() ? "true" : "false");
  }
  appendStringInfoString(&json, "]}");
  PG_RETURN_TEXT_P(cstring_to_text_with_len(json.data, json.len));
}
}
