#pragma once

#include "core/bytes.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "utils/typcache.h"
}

namespace brainsait::pg {

/// A value that is not null, of a type that is known when it runs.
struct TypedValue {
  Oid type = InvalidOid;
  int16 length = 0;
  bool by_value = false;
  Datum datum = 0;
};

/// Argument `number`, which is not null. Raises 0A000 for rows and other values whose type has no
/// name.
TypedValue typed_argument(FunctionCallInfo fcinfo, int number);

/// A copy in the current memory context, in line and without compression.
TypedValue copy_value(const TypedValue &value);
void free_value(TypedValue &value);

/// The order of two values of one type by its default B-tree operators. Raises 42883 where it has
/// none.
int compare_values(const TypedValue &a, const TypedValue &b, Oid collation);
/// The same, for any type: values that compare equal but are not the same, as 1.0 and 1.00, and
/// those of a type without order, stand in the order of their texts.
int compare_values_or_texts(const TypedValue &a, const TypedValue &b, Oid collation);

// Stored form of a value: length of its type's name (u16), the qualified name, form (u8; 0 text, 1
// binary, as the type sends itself), length (u32), the bytes.

std::size_t stored_size(const TypedValue &value);
void store_value(core::ByteWriter &writer, const TypedValue &value);

/// Reads stored bytes that may be anything. Raises the SQLSTATE it is given.
class StoredValueReader {
public:
  StoredValueReader(std::span<const std::uint8_t> bytes, int sqlstate, const char *state_type)
      : reader_(bytes), sqlstate_(sqlstate), state_type_(state_type) {}

  std::uint8_t u8();
  /// A value in the current memory context.
  TypedValue value();
  void finish();
  [[noreturn]] void refuse(const char *why);

private:
  template <typename Read> auto guarded_read(Read &&read);

  core::ByteReader reader_;
  int sqlstate_;
  const char *state_type_;
};

} // namespace brainsait::pg
