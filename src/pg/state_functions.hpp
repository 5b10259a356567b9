#pragma once

#include "pg/expanded_state.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace brainsait::pg {

// What types of states that people store have besides input and output. Stored forms are
// canonical, so equal values are equal bytes.

inline bool states_are_equal(FunctionCallInfo fcinfo) {
  auto one = flat_argument(fcinfo, 0), other = flat_argument(fcinfo, 1);
  return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size()) == 0;
}

template <typename State> Datum state_from_bytea(FunctionCallInfo fcinfo) {
  auto *flat = accept_state<State>(flat_argument(fcinfo, 0), ERRCODE_INVALID_BINARY_REPRESENTATION);
  PG_RETURN_POINTER(flat);
}

} // namespace brainsait::pg

/// The functions brainsait_NAME_eq, _ne, _hash, _hash_extended and _from_bytea of a state's SQL
/// type, to be placed inside extern "C". All are IMMUTABLE STRICT PARALLEL SAFE.
#define BRAINSAIT_STATE_FUNCTIONS(NAME, STATE)                                                     \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_eq);                                                      \
  Datum brainsait_##NAME##_eq(PG_FUNCTION_ARGS) {                                                  \
    PG_RETURN_BOOL(brainsait::pg::states_are_equal(fcinfo));                                       \
  }                                                                                                \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_ne);                                                      \
  Datum brainsait_##NAME##_ne(PG_FUNCTION_ARGS) {                                                  \
    PG_RETURN_BOOL(!brainsait::pg::states_are_equal(fcinfo));                                      \
  }                                                                                                \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_hash);                                                    \
  Datum brainsait_##NAME##_hash(PG_FUNCTION_ARGS) {                                                \
    auto bytes = brainsait::pg::flat_argument(fcinfo, 0);                                          \
    return hash_any(bytes.data(), int(bytes.size()));                                              \
  }                                                                                                \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_hash_extended);                                           \
  Datum brainsait_##NAME##_hash_extended(PG_FUNCTION_ARGS) {                                       \
    auto bytes = brainsait::pg::flat_argument(fcinfo, 0);                                          \
    return hash_any_extended(bytes.data(), int(bytes.size()), uint64(PG_GETARG_INT64(1)));         \
  }                                                                                                \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_from_bytea);                                              \
  Datum brainsait_##NAME##_from_bytea(PG_FUNCTION_ARGS) {                                          \
    return brainsait::pg::state_from_bytea<STATE>(fcinfo);                                         \
  }
