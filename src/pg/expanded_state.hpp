#pragma once

#include "pg/guard.hpp"
#include "pg/memory_resource.hpp"

extern "C" {
#include "utils/expandeddatum.h"
}

namespace brainsait::pg {

// Aggregate states: an object of the core's that lives expanded in the aggregate's memory, and is
// flattened into a varlena when it travels to another process or into a table.
//
// A class is fit to be a State when it has
//
//   static constexpr const char *type_name;            its SQL type, for messages
//   explicit State(std::pmr::memory_resource *);       an empty state, all of whose memory is there
//   void load(std::span<const std::uint8_t>);          fills an empty state from stored bytes; the
//                                                      one validation: throws ErrorKind::corrupted
//   std::size_t flat_size() const;                     bytes that flatten() writes
//   void flatten(std::uint8_t *) const;                the stored form; equal states give equal
//                                                      bytes, in whatever order they were filled
//   void merge(const State &);                         for combine_states(): takes the other's rows
//
// States are never destroyed: their memory goes with its context. All of these run guarded, so they
// may throw and must not call what can ereport; a State that is made of PostgreSQL's own values
// says `static constexpr bool raises = true` and has it the other way round: none of it throws, it
// is made from its MemoryContext, and load() takes the SQLSTATE to raise as well.

/// The context for the states of the running aggregate: a child of the aggregate's own, as the
/// executor wants it of expanded objects, and shared by all groups, so that a small state costs its
/// bytes and no context. Raises 0A000 where the function was not called by an aggregate.
MemoryContext state_context(FunctionCallInfo fcinfo);

/// Raises `failure` with another SQLSTATE for bytes that do not validate.
[[noreturn]] void raise_invalid(Failure &failure, int sqlstate, const char *type_name);

/// Raises 54000 where a state is too large to travel.
void check_flat_size(std::size_t size, const char *type_name);

/// The bytes that hexadecimal text input ("\x00ff...") stands for; raises 22P02.
std::span<const std::uint8_t> parse_state_text(const char *text, const char *type_name);
char *print_state_text(std::span<const std::uint8_t> bytes);

template <typename State>
concept raises = requires {
  requires State::raises;
};

template <typename State, typename Body> void run_state(Body &&body) {
  if constexpr (raises<State>)
    body();
  else
    run_guarded(body);
}

template <typename State> struct StateObject {
  explicit StateObject(MemoryContext context)
      : header(), memory(context), state(place(context, &memory)) {}

  ExpandedObjectHeader header; ///< first, since PostgreSQL knows the object by it
  PallocResource memory;
  State state;

  Datum datum() { return EOHPGetRWDatum(&header); }

private:
  static auto place(MemoryContext context, std::pmr::memory_resource *memory) {
    if constexpr (raises<State>)
      return context;
    else
      return memory;
  }
};

/// As run_state(), for a state that is flattened. The context that is current then may be one from
/// which nothing can be freed (a sort's, from PostgreSQL 17 on), while what values are made of when
/// they are sent is freed at once.
template <typename State, typename Body>
void run_flattening(const ExpandedObjectHeader &header, Body &&body) {
  if constexpr (raises<State>) {
    MemoryContext work = AllocSetContextCreate(header.eoh_context, "brainsait state that travels",
                                               ALLOCSET_SMALL_SIZES);
    MemoryContext before = MemoryContextSwitchTo(work);
    body();
    MemoryContextSwitchTo(before);
    MemoryContextDelete(work);
  } else {
    run_guarded(body);
  }
}

template <typename State> struct StateMethods {
  static StateObject<State> &object(ExpandedObjectHeader *header) {
    return *reinterpret_cast<StateObject<State> *>(header);
  }
  static Size flat_size(ExpandedObjectHeader *header) {
    std::size_t size = 0;
    run_flattening<State>(*header, [&] { size = object(header).state.flat_size(); });
    check_flat_size(size, State::type_name);
    return size + VARHDRSZ;
  }
  static void flatten_into(ExpandedObjectHeader *header, void *result, Size allocated) {
    SET_VARSIZE(result, allocated);
    auto *bytes = reinterpret_cast<std::uint8_t *>(VARDATA(result));
    run_flattening<State>(*header, [&] { object(header).state.flatten(bytes); });
  }
  static constexpr ExpandedObjectMethods methods = {flat_size, flatten_into};
};

/// An empty state in `context`, which the object and all it allocates live in.
template <typename State> StateObject<State> *make_state(MemoryContext context) {
  void *memory = MemoryContextAlloc(context, sizeof(StateObject<State>));
  StateObject<State> *object = nullptr;
  run_state<State>([&] { object = new (memory) StateObject<State>(context); });
  EOH_init_header(&object->header, &StateMethods<State>::methods, context);
  return object;
}

template <typename State> StateObject<State> *expanded_or_null(Datum datum) {
  if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
    return nullptr;
  ExpandedObjectHeader *header = DatumGetEOHP(datum);
  return header->eoh_methods == &StateMethods<State>::methods ? &StateMethods<State>::object(header)
                                                              : nullptr;
}

/// Fills an empty state from bytes. Raises `sqlstate` where they do not validate.
template <typename State>
void load_state(State &state, std::span<const std::uint8_t> bytes, int sqlstate) {
  if constexpr (raises<State>) {
    state.load(bytes, sqlstate);
  } else {
    Failure failure;
    if (!guarded(failure, [&] { state.load(bytes); }))
      raise_invalid(failure, sqlstate, State::type_name);
  }
}

inline std::span<const std::uint8_t> flat_bytes(varlena *flat) {
  return {reinterpret_cast<const std::uint8_t *>(VARDATA_ANY(flat)), VARSIZE_ANY_EXHDR(flat)};
}

/// A new state in `context` with what a flat or an expanded one holds.
template <typename State> StateObject<State> *copy_state(Datum datum, MemoryContext context) {
  varlena *flat = PG_DETOAST_DATUM_PACKED(datum);
  StateObject<State> *object = make_state<State>(context);
  load_state(object->state, flat_bytes(flat), ERRCODE_DATA_CORRUPTED);
  return object;
}

/// A state to read, flat or expanded; a flat one is expanded in the current memory context. Raises
/// XX001 where its bytes do not validate.
template <typename State> const State &read_state(Datum datum) {
  StateObject<State> *object = expanded_or_null<State>(datum);
  return object != nullptr ? object->state : copy_state<State>(datum, CurrentMemoryContext)->state;
}

/// The state of a transition function that has run before, argument 0, or nullptr: the way of every
/// row but the first.
template <typename State> inline StateObject<State> *running_state(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0))
    return nullptr;
  Datum datum = PG_GETARG_DATUM(0);
  return VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(datum)) ? expanded_or_null<State>(datum)
                                                                : nullptr;
}

/// A transition function's state, argument 0, to change in place; made where it is null. Return its
/// datum().
template <typename State> StateObject<State> *transition_state(FunctionCallInfo fcinfo) {
  if (StateObject<State> *object = running_state<State>(fcinfo))
    return object;
  MemoryContext context = state_context(fcinfo);
  return PG_ARGISNULL(0) ? make_state<State>(context)
                         : copy_state<State>(PG_GETARG_DATUM(0), context);
}

/// What a transition function returns that has nothing to add: its state as it came, or null.
inline Datum unchanged_state(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0))
    PG_RETURN_NULL();
  PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/// The body of a combine function (not STRICT): either side may be null.
template <typename State> Datum combine_states(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(1)) {
    state_context(fcinfo); // refuses a call from elsewhere
    return unchanged_state(fcinfo);
  }
  if (PG_ARGISNULL(0))
    return copy_state<State>(PG_GETARG_DATUM(1), state_context(fcinfo))->datum();
  StateObject<State> *object = transition_state<State>(fcinfo);
  const State &other = read_state<State>(PG_GETARG_DATUM(1));
  run_state<State>([&] { object->state.merge(other); });
  return object->datum();
}

/// Flattens a state into the current memory context: what a final function returns that gives its
/// state away.
template <typename State> varlena *flat_state(const State &state) {
  std::size_t size = 0;
  run_state<State>([&] { size = state.flat_size(); });
  check_flat_size(size, State::type_name);
  auto *flat = static_cast<varlena *>(palloc(size + VARHDRSZ));
  SET_VARSIZE(flat, size + VARHDRSZ);
  auto *bytes = reinterpret_cast<std::uint8_t *>(VARDATA(flat));
  run_state<State>([&] { state.flatten(bytes); });
  return flat;
}

/// The flat state that `bytes` are. Raises `sqlstate` unless they validate and are what flatten()
/// writes, so that equal values have equal bytes whoever made them.
template <typename State> varlena *accept_state(std::span<const std::uint8_t> bytes, int sqlstate) {
  StateObject<State> *object = make_state<State>(CurrentMemoryContext);
  load_state(object->state, bytes, sqlstate);
  varlena *flat = flat_state(object->state);
  auto written = flat_bytes(flat);
  if (written.size() != bytes.size() ||
      std::memcmp(written.data(), bytes.data(), bytes.size()) != 0) {
    Failure failure;
    strlcpy(failure.message, "The bytes are not in canonical form.", sizeof failure.message);
    failure.sqlstate = ERRCODE_DATA_CORRUPTED;
    raise_invalid(failure, sqlstate, State::type_name);
  }
  return flat;
}

/// The flat bytes of argument `number`, expanded or not.
inline std::span<const std::uint8_t> flat_argument(FunctionCallInfo fcinfo, int number) {
  return flat_bytes(PG_GETARG_VARLENA_PP(number));
}

bytea *make_bytea(std::span<const std::uint8_t> bytes);
std::span<const std::uint8_t> rest_of_message(FunctionCallInfo fcinfo);

template <typename State> Datum state_in(FunctionCallInfo fcinfo) {
  auto bytes = parse_state_text(PG_GETARG_CSTRING(0), State::type_name);
  PG_RETURN_POINTER(accept_state<State>(bytes, ERRCODE_INVALID_TEXT_REPRESENTATION));
}
template <typename State> Datum state_recv(FunctionCallInfo fcinfo) {
  auto bytes = rest_of_message(fcinfo);
  PG_RETURN_POINTER(accept_state<State>(bytes, ERRCODE_INVALID_BINARY_REPRESENTATION));
}
inline Datum state_out(FunctionCallInfo fcinfo) {
  PG_RETURN_CSTRING(print_state_text(flat_argument(fcinfo, 0)));
}
inline Datum state_send(FunctionCallInfo fcinfo) {
  PG_RETURN_BYTEA_P(make_bytea(flat_argument(fcinfo, 0)));
}

} // namespace brainsait::pg

/// The four functions of a state's SQL type, brainsait_NAME_in, _out, _recv and _send, to be placed
/// inside extern "C". All are IMMUTABLE STRICT PARALLEL SAFE.
#define BRAINSAIT_STATE_TYPE(NAME, STATE)                                                          \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_in);                                                      \
  Datum brainsait_##NAME##_in(PG_FUNCTION_ARGS) { return brainsait::pg::state_in<STATE>(fcinfo); } \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_out);                                                     \
  Datum brainsait_##NAME##_out(PG_FUNCTION_ARGS) { return brainsait::pg::state_out(fcinfo); }      \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_recv);                                                    \
  Datum brainsait_##NAME##_recv(PG_FUNCTION_ARGS) {                                                \
    return brainsait::pg::state_recv<STATE>(fcinfo);                                               \
  }                                                                                                \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_send);                                                    \
  Datum brainsait_##NAME##_send(PG_FUNCTION_ARGS) { return brainsait::pg::state_send(fcinfo); }

/// The combine function brainsait_NAME_combine. PARALLEL SAFE, not STRICT.
#define BRAINSAIT_COMBINE(NAME, STATE)                                                             \
  PG_FUNCTION_INFO_V1(brainsait_##NAME##_combine);                                                 \
  Datum brainsait_##NAME##_combine(PG_FUNCTION_ARGS) {                                             \
    return brainsait::pg::combine_states<STATE>(fcinfo);                                           \
  }
