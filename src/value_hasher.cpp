#include "value_hasher.hpp"

#include <bit>
#include <cmath>

extern "C" {
#include "catalog/pg_enum.h"
#include "utils/date.h"
#include "utils/typcache.h"
}

namespace brainsait {
namespace {

std::span<const std::uint8_t> bytes_of(const char *text, std::size_t size) {
  return {reinterpret_cast<const std::uint8_t *>(text), size};
}

/// A float has no bits of its own where it equals another: -0 is 0, and PostgreSQL's NaN are equal.
std::uint64_t hash_double(double value) {
  if (std::isnan(value))
    value = std::numeric_limits<double>::quiet_NaN();
  return core::mix64(std::bit_cast<std::uint64_t>(value + 0.0));
}

std::uint64_t hash_uuid(const pg_uuid_t *uuid) {
  std::uint64_t high = 0, low = 0;
  for (int i = 0; i < 8; ++i) {
    high = high << 8 | uuid->data[i];
    low = low << 8 | uuid->data[8 + i];
  }
  return core::mix64(core::mix64(high) ^ low);
}

} // namespace

ValueHasher &ValueHasher::make(FunctionCallInfo fcinfo, int argument) {
  Oid type = get_fn_expr_argtype(fcinfo->flinfo, argument);
  if (!OidIsValid(type))
    ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
                    errmsg("could not determine the type of the values to count")));
  MemoryContext context = fcinfo->flinfo->fn_mcxt;
  auto *hasher = static_cast<ValueHasher *>(MemoryContextAllocZero(context, sizeof(ValueHasher)));
  hasher->prepare(getBaseType(type), PG_GET_COLLATION(), context);
  fcinfo->flinfo->fn_extra = hasher;
  return *hasher;
}

void ValueHasher::prepare(Oid type, Oid collation, MemoryContext context) {
  auto is = [&](Kind kind, core::HashFamily family) {
    kind_ = kind;
    family_ = family;
  };
  collation_ = collation;
  switch (type) {
  case INT8OID:
  case TIMESTAMPOID:
  case TIMESTAMPTZOID:
  case TIMEOID:
  case CASHOID:
  case LSNOID:
  case XID8OID:
    return is(Kind::int8, core::HashFamily::integers);
  case INT4OID:
  case DATEOID:
    return is(Kind::int4, core::HashFamily::integers);
  case INT2OID:
    return is(Kind::int2, core::HashFamily::integers);
  case BOOLOID:
  case CHAROID:
    return is(Kind::one_byte, core::HashFamily::integers);
  case OIDOID:
    return is(Kind::oid, core::HashFamily::integers);
  case FLOAT4OID:
    return is(Kind::float4, core::HashFamily::floats);
  case FLOAT8OID:
    return is(Kind::float8, core::HashFamily::floats);
  case BYTEAOID:
    return is(Kind::text, core::HashFamily::bytes);
  case NAMEOID:
    return is(Kind::name, core::HashFamily::bytes);
  case UUIDOID:
    return is(Kind::uuid, core::HashFamily::uuids);
  case TEXTOID:
  case VARCHAROID:
  case BPCHAROID:
    if (!OidIsValid(collation))
      ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_COLLATION),
                      errmsg("could not determine which collation to use for string hashing"),
                      errhint("Use the COLLATE clause to set the collation explicitly.")));
    if (get_collation_isdeterministic(collation))
      return is(type == BPCHAROID ? Kind::bpchar : Kind::text, core::HashFamily::bytes);
    break;
  default:
    if (type_is_enum(type))
      return is(Kind::enumeration, core::HashFamily::bytes);
  }
  is(Kind::other, core::HashFamily::other);
  TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC);
  if (!OidIsValid(entry->hash_extended_proc))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("could not identify an extended hash function for type %s",
                           format_type_be(type))));
  fmgr_info_cxt(entry->hash_extended_proc, &function_, context);
}

std::uint64_t ValueHasher::hash_label(Oid value) {
  Label &known = labels_[value % labels];
  if (known.value != value) {
    HeapTuple row = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
    if (!HeapTupleIsValid(row))
      ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                      errmsg("invalid internal value for enum: %u", value)));
    const char *label = NameStr(reinterpret_cast<Form_pg_enum>(GETSTRUCT(row))->enumlabel);
    known = {value, core::hash_bytes(bytes_of(label, std::strlen(label)))};
    ReleaseSysCache(row);
  }
  return known.hash;
}

std::uint64_t ValueHasher::hash_other(Datum value) {
  switch (kind_) {
  case Kind::int8:
    return core::mix64(std::uint64_t(DatumGetInt64(value)));
  case Kind::int4:
    return core::mix64(std::uint64_t(std::int64_t(DatumGetInt32(value))));
  case Kind::int2:
    return core::mix64(std::uint64_t(std::int64_t(DatumGetInt16(value))));
  case Kind::one_byte:
    return core::mix64(std::uint64_t(std::uint8_t(DatumGetChar(value))));
  case Kind::oid:
    return core::mix64(DatumGetObjectId(value));
  case Kind::float4:
    return hash_double(DatumGetFloat4(value));
  case Kind::float8:
    return hash_double(DatumGetFloat8(value));
  case Kind::text:
  case Kind::bpchar: {
    varlena *text = PG_DETOAST_DATUM_PACKED(value);
    const char *data = VARDATA_ANY(text);
    std::size_t size = VARSIZE_ANY_EXHDR(text);
    if (kind_ == Kind::bpchar)
      while (size > 0 && data[size - 1] == ' ')
        --size;
    return core::hash_bytes(bytes_of(data, size));
  }
  case Kind::name: {
    const char *name = NameStr(*DatumGetName(value));
    return core::hash_bytes(bytes_of(name, std::strlen(name)));
  }
  case Kind::uuid:
    return hash_uuid(DatumGetUUIDP(value));
  case Kind::enumeration:
    return hash_label(DatumGetObjectId(value));
  case Kind::other:
    break;
  }
  return core::mix64(
      DatumGetUInt64(FunctionCall2Coll(&function_, collation_, value, Int64GetDatum(0))));
}

} // namespace brainsait
