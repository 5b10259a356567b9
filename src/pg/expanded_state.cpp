#include "pg/expanded_state.hpp"

extern "C" {
#include "libpq/pqformat.h"
#include "nodes/memnodes.h"
}

namespace brainsait::pg {
namespace {

/// Contexts are known by the address of their name.
constexpr char state_context_name[] = "brainsait aggregate states";

/// How many of an aggregate context's children are looked at. Newest come first; where other
/// aggregates have made many since, another context for states is as good.
constexpr int children_to_look_at = 8;

int hexadecimal_digit(char character) {
  if (character >= '0' && character <= '9')
    return character - '0';
  if (character >= 'a' && character <= 'f')
    return character - 'a' + 10;
  if (character >= 'A' && character <= 'F')
    return character - 'A' + 10;
  return -1;
}

} // namespace

MemoryContext state_context(FunctionCallInfo fcinfo) {
  MemoryContext aggregate = nullptr;
  if (AggCheckCallContext(fcinfo, &aggregate) == 0)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("this function serves an aggregate and cannot be called by itself")));
  MemoryContext child = aggregate->firstchild;
  for (int looked = 0; child != nullptr && looked < children_to_look_at; ++looked) {
    if (child->name == state_context_name)
      return child;
    child = child->nextchild;
  }
  return AllocSetContextCreateInternal(aggregate, state_context_name, ALLOCSET_START_SMALL_SIZES);
}

void raise_invalid(Failure &failure, int sqlstate, const char *type_name) {
  if (failure.sqlstate != ERRCODE_DATA_CORRUPTED)
    raise(failure);
  ereport(ERROR, (errcode(sqlstate), errmsg("invalid value of type %s", type_name),
                  errdetail("%s", failure.message)));
  pg_unreachable();
}

void check_flat_size(std::size_t size, const char *type_name) {
  if (size > MaxAllocSize - VARHDRSZ)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("a value of type %s is larger than 1 GB", type_name)));
}

std::span<const std::uint8_t> parse_state_text(const char *text, const char *type_name) {
  std::size_t length = std::strlen(text);
  bool is_hexadecimal = length >= 2 && length % 2 == 0 && text[0] == '\\' && text[1] == 'x';
  std::size_t size = is_hexadecimal ? length / 2 - 1 : 0;
  auto *bytes = static_cast<std::uint8_t *>(palloc(size + 1));
  for (std::size_t i = 0; i < size && is_hexadecimal; ++i) {
    int high = hexadecimal_digit(text[2 * i + 2]);
    int low = hexadecimal_digit(text[2 * i + 3]);
    is_hexadecimal = high >= 0 && low >= 0;
    bytes[i] = std::uint8_t(high << 4 | low);
  }
  if (!is_hexadecimal)
    ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                    errmsg("invalid value of type %s", type_name),
                    errdetail("The text is not \\x followed by pairs of hexadecimal digits.")));
  return {bytes, size};
}

char *print_state_text(std::span<const std::uint8_t> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  auto *text = static_cast<char *>(palloc_extended(2 * bytes.size() + 3, MCXT_ALLOC_HUGE));
  char *at = text;
  *at++ = '\\';
  *at++ = 'x';
  for (std::uint8_t byte : bytes) {
    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 15];
  }
  *at = '\0';
  return text;
}

bytea *make_bytea(std::span<const std::uint8_t> bytes) {
  auto *result = static_cast<bytea *>(palloc(bytes.size() + VARHDRSZ));
  SET_VARSIZE(result, bytes.size() + VARHDRSZ);
  if (!bytes.empty())
    std::memcpy(VARDATA(result), bytes.data(), bytes.size());
  return result;
}

std::span<const std::uint8_t> rest_of_message(FunctionCallInfo fcinfo) {
  auto *message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  int size = message->len - message->cursor;
  const char *bytes = pq_getmsgbytes(message, size);
  return {reinterpret_cast<const std::uint8_t *>(bytes), std::size_t(size)};
}

} // namespace brainsait::pg
