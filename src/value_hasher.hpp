#pragma once

#include "core/distinct_sketch.hpp"
#include "core/value_hash.hpp"
#include "pg/postgres.hpp"

namespace brainsait {

/// Hashes values of one SQL type for distinct sketches, such that values that are equal (=) hash
/// alike on every machine as far as the type allows:
/// - integers, dates, times, timestamps, booleans, OIDs, money: by their 64-bit value, so that
///   columns of smallint, integer and bigint have sketches in common; no two collide
/// - real and double precision: by value, as double precision; one zero, one NaN; no collisions
/// - text, varchar, char(n) without trailing blanks, name, bytea: by their bytes
/// - enums: by their labels' bytes, since a dump does not keep OIDs
/// - uuid: by its bytes
/// - numeric, text under a nondeterministic collation, and every other type: by the extended hash
///   function of its default hash operator class. That is as stable as PostgreSQL keeps it, and
///   sort keys of a nondeterministic collation change with ICU's versions.
class ValueHasher {
public:
  /// For argument `argument` of the function, made at its first call and kept in fn_extra. Raises
  /// 42883 for types that cannot be hashed, 42P22 for text whose collation is not known.
  static ValueHasher &of_argument(FunctionCallInfo fcinfo, int argument) {
    void *made = fcinfo->flinfo->fn_extra;
    return made != nullptr ? *static_cast<ValueHasher *>(made) : make(fcinfo, argument);
  }

  core::HashFamily family() const { return family_; }
  std::uint64_t hash(Datum value) {
    return kind_ == Kind::int8 ? core::mix64(std::uint64_t(DatumGetInt64(value)))
                               : hash_other(value);
  }

private:
  enum class Kind {
    int8,
    int4,
    int2,
    one_byte,
    oid,
    float4,
    float8,
    text,
    bpchar,
    name,
    uuid,
    enumeration,
    other
  };
  static constexpr std::size_t labels = 64;
  struct Label {
    Oid value;
    std::uint64_t hash;
  };

  static ValueHasher &make(FunctionCallInfo fcinfo, int argument);
  std::uint64_t hash_other(Datum value);
  void prepare(Oid type, Oid collation, MemoryContext context);
  std::uint64_t hash_label(Oid value);

  Kind kind_;
  core::HashFamily family_;
  Oid collation_;
  FmgrInfo function_;
  Label labels_[labels];
};
static_assert(std::is_trivially_destructible_v<ValueHasher>);

} // namespace brainsait
