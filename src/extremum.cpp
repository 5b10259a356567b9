// min_by() and max_by(): the value of the row in which something else is least or greatest.

#include "core/bytes.hpp"
#include "pg/expanded_state.hpp"
#include "pg/stored_value.hpp"

extern "C" {
#include "catalog/pg_collation.h"
}

namespace brainsait {
namespace {

/// Stored form: version 1, direction (u8), value and key, each with its type's name.
class ExtremumState {
public:
  static constexpr const char *type_name = "extremum_state";
  static constexpr bool raises = true;

  explicit ExtremumState(MemoryContext context) : context_(context) {}

  bool empty() const { return !is_filled_; }
  bool is_max() const { return is_max_; }
  const pg::TypedValue &value() const { return value_; }
  const pg::TypedValue &key() const { return key_; }

  /// Raises 22023 where rows of another direction or of other types are here already.
  void offer(bool is_max, const pg::TypedValue &value, const pg::TypedValue &key, Oid collation) {
    if (is_filled_) {
      if (is_max != is_max_ || value.type != value_.type || key.type != key_.type)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the rows of a group have different types or directions")));
      if (!is_better(value, key, collation))
        return;
    }
    is_max_ = is_max;
    take(value_, value);
    take(key_, key);
    is_filled_ = true;
  }

  void load(std::span<const std::uint8_t> bytes, int sqlstate) {
    pg::StoredValueReader reader(bytes, sqlstate, type_name);
    std::uint8_t version = reader.u8(), direction = reader.u8();
    if (version != 1 || direction > 1)
      reader.refuse("The version or the direction is not known.");
    is_max_ = direction == 1;
    MemoryContext before = MemoryContextSwitchTo(context_);
    value_ = reader.value();
    key_ = reader.value();
    MemoryContextSwitchTo(before);
    reader.finish();
    is_filled_ = true;
  }
  std::size_t flat_size() const { return 2 + pg::stored_size(value_) + pg::stored_size(key_); }
  void flatten(std::uint8_t *bytes) const {
    core::ByteWriter writer(bytes);
    writer.u8(1);
    writer.u8(is_max_ ? 1 : 0);
    pg::store_value(writer, value_);
    pg::store_value(writer, key_);
  }

private:
  /// By key; of equal keys the smaller value, whichever row comes first. What is equal even then is
  /// told apart by the key's text, so that states are equal, too.
  bool is_better(const pg::TypedValue &value, const pg::TypedValue &key, Oid collation) const {
    int order = pg::compare_values(key, key_, collation);
    if (order != 0)
      return is_max_ ? order > 0 : order < 0;
    order = pg::compare_values_or_texts(value, value_, collation);
    return order != 0 ? order < 0 : pg::compare_values_or_texts(key, key_, collation) < 0;
  }

  void take(pg::TypedValue &place, const pg::TypedValue &value) {
    MemoryContext before = MemoryContextSwitchTo(context_);
    pg::TypedValue copy = pg::copy_value(value);
    MemoryContextSwitchTo(before);
    if (is_filled_)
      pg::free_value(place);
    place = copy;
  }

  MemoryContext context_;
  bool is_filled_ = false;
  bool is_max_ = false;
  pg::TypedValue value_;
  pg::TypedValue key_;
};

/// Rows without value or key are ignored.
Datum add_row(FunctionCallInfo fcinfo, bool is_max) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
    return pg::unchanged_state(fcinfo);
  pg::TypedValue value = pg::typed_argument(fcinfo, 1);
  pg::TypedValue key = pg::typed_argument(fcinfo, 2);
  auto *object = pg::transition_state<ExtremumState>(fcinfo);
  object->state.offer(is_max, value, key, PG_GET_COLLATION());
  return object->datum();
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(extremum_state, ExtremumState)

PG_FUNCTION_INFO_V1(brainsait_min_by_add);

/// min_by_add(state, value anyelement, by anycompatible)
Datum brainsait_min_by_add(PG_FUNCTION_ARGS) { return add_row(fcinfo, false); }

PG_FUNCTION_INFO_V1(brainsait_max_by_add);

/// max_by_add(state, value anyelement, by anycompatible)
Datum brainsait_max_by_add(PG_FUNCTION_ARGS) { return add_row(fcinfo, true); }

PG_FUNCTION_INFO_V1(brainsait_extremum_combine);

/// extremum_combine(state, state)
Datum brainsait_extremum_combine(PG_FUNCTION_ARGS) {
  MemoryContext context = pg::state_context(fcinfo);
  if (PG_ARGISNULL(1))
    return pg::unchanged_state(fcinfo);
  if (PG_ARGISNULL(0))
    return pg::copy_state<ExtremumState>(PG_GETARG_DATUM(1), context)->datum();
  auto *object = pg::transition_state<ExtremumState>(fcinfo);
  auto &other = pg::read_state<ExtremumState>(PG_GETARG_DATUM(1));
  // States that somebody merges by an aggregate of his own bring no collation.
  Oid collation = OidIsValid(PG_GET_COLLATION()) ? PG_GET_COLLATION() : DEFAULT_COLLATION_OID;
  object->state.offer(other.is_max(), other.value(), other.key(), collation);
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_extremum_final);

/// extremum_final(state, value anyelement, by anycompatible) -> anyelement: null where no row
/// counted. The other arguments are there for their types; raises 42804 where the state holds a
/// value of another type.
Datum brainsait_extremum_final(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  auto &state = pg::read_state<ExtremumState>(PG_GETARG_DATUM(0));
  if (state.value().type != get_fn_expr_argtype(fcinfo->flinfo, 1))
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("the state holds a value of type %s", format_type_be(state.value().type))));
  PG_RETURN_DATUM(pg::copy_value(state.value()).datum);
}
}
