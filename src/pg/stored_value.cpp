#include "pg/stored_value.hpp"

#include "pg/guard.hpp"
#include "pg/expanded_state.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/datum.h"
}

namespace brainsait::pg {
namespace {

constexpr std::uint8_t text_form = 0;
constexpr std::uint8_t binary_form = 1;

TypedValue typed(Oid type, Datum datum) {
  TypedValue value{type, 0, false, datum};
  get_typlenbyval(type, &value.length, &value.by_value);
  return value;
}

TypeCacheEntry *cache_entry(Oid type) {
  return lookup_type_cache(type, TYPECACHE_CMP_PROC | TYPECACHE_CMP_PROC_FINFO);
}

int compare(TypeCacheEntry *type, const TypedValue &a, const TypedValue &b, Oid collation) {
  return DatumGetInt32(FunctionCall2Coll(&type->cmp_proc_finfo, collation, a.datum, b.datum));
}

/// Runs `body` as if the client's encoding were the server's: types send and receive text in the
/// client's, which in a parallel worker is another than in its leader, and no matter of a state's.
template <typename Body> void in_server_encoding(Body &&body) {
  const int client = pg_get_client_encoding();
  if (client == GetDatabaseEncoding()) {
    body();
    return;
  }
  SetClientEncoding(GetDatabaseEncoding());
  PG_TRY();
  { body(); }
  PG_FINALLY();
  { SetClientEncoding(client); }
  PG_END_TRY();
}

/// What a value travels as.
struct Form {
  std::uint8_t kind;
  const char *bytes;
  std::size_t size;
};

Form form_of(const TypedValue &value) {
  HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(value.type));
  if (!HeapTupleIsValid(tuple))
    elog(ERROR, "cache lookup failed for type %u", value.type);
  auto *type = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
  Oid send = OidIsValid(type->typreceive) ? type->typsend : InvalidOid;
  Oid output = type->typoutput;
  ReleaseSysCache(tuple);
  if (OidIsValid(send)) {
    bytea *sent = nullptr;
    in_server_encoding([&] { sent = OidSendFunctionCall(send, value.datum); });
    return {binary_form, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent)};
  }
  const char *text = OidOutputFunctionCall(output, value.datum);
  return {text_form, text, std::strlen(text)};
}

const char *name_of(Oid type) { return format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY); }

} // namespace

TypedValue typed_argument(FunctionCallInfo fcinfo, int number) {
  Oid type = get_fn_expr_argtype(fcinfo->flinfo, number);
  if (!OidIsValid(type) || get_typtype(type) == TYPTYPE_PSEUDO)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("values of type %s cannot be kept",
                           OidIsValid(type) ? format_type_be(type) : "unknown"),
                    errhint("Cast rows to a type that has a name.")));
  return typed(type, PG_GETARG_DATUM(number));
}

TypedValue copy_value(const TypedValue &value) {
  TypedValue copy = value;
  if (value.length == -1)
    copy.datum = PointerGetDatum(PG_DETOAST_DATUM_COPY(value.datum));
  else
    copy.datum = datumCopy(value.datum, value.by_value, value.length);
  return copy;
}

void free_value(TypedValue &value) {
  if (!value.by_value)
    pfree(DatumGetPointer(value.datum));
}

int compare_values(const TypedValue &a, const TypedValue &b, Oid collation) {
  TypeCacheEntry *type = cache_entry(a.type);
  if (!OidIsValid(type->cmp_proc))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("could not identify a comparison function for type %s",
                           format_type_be(a.type))));
  return compare(type, a, b, collation);
}

int compare_values_or_texts(const TypedValue &a, const TypedValue &b, Oid collation) {
  TypeCacheEntry *type = cache_entry(a.type);
  int order = OidIsValid(type->cmp_proc) ? compare(type, a, b, collation) : 0;
  if (order != 0 || datum_image_eq(a.datum, b.datum, a.by_value, a.length))
    return order;
  Oid output;
  bool is_varlena;
  getTypeOutputInfo(a.type, &output, &is_varlena);
  return std::strcmp(OidOutputFunctionCall(output, a.datum),
                     OidOutputFunctionCall(output, b.datum));
}

std::size_t stored_size(const TypedValue &value) {
  return 7 + std::strlen(name_of(value.type)) + form_of(value).size;
}

void store_value(core::ByteWriter &writer, const TypedValue &value) {
  std::string_view name = name_of(value.type);
  Form form = form_of(value);
  writer.u16(std::uint16_t(name.size()));
  writer.text(name);
  writer.u8(form.kind);
  writer.u32(std::uint32_t(form.size));
  writer.text({form.bytes, form.size});
}

void StoredValueReader::refuse(const char *why) {
  Failure failure;
  failure.sqlstate = ERRCODE_DATA_CORRUPTED;
  strlcpy(failure.message, why, sizeof failure.message);
  raise_invalid(failure, sqlstate_, state_type_);
}

/// What the core's reader throws is raised outside its frame.
template <typename Read> auto StoredValueReader::guarded_read(Read &&read) {
  decltype(read()) result{};
  Failure failure;
  if (!guarded(failure, [&] { result = read(); }))
    raise_invalid(failure, sqlstate_, state_type_);
  return result;
}

std::uint8_t StoredValueReader::u8() {
  return guarded_read([&] { return reader_.u8(); });
}

void StoredValueReader::finish() {
  if (reader_.left() != 0)
    refuse("There are bytes after the end.");
}

TypedValue StoredValueReader::value() {
  auto name = guarded_read([&] { return reader_.text(reader_.u16()); });
  auto form = guarded_read([&] { return reader_.u8(); });
  auto bytes = guarded_read([&] { return reader_.text(reader_.u32()); });
  if (name.size() > 4 * NAMEDATALEN + 8 || name.find('\0') != name.npos)
    refuse("A type's name is malformed.");
  if (form > binary_form)
    refuse("A value is neither text nor binary.");
  char *type_name = pnstrdup(name.data(), name.size());
  // Raises by itself where there is no such type.
  Oid type = DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(type_name)));
  if (!OidIsValid(type) || get_typtype(type) == TYPTYPE_PSEUDO ||
      !SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)) ||
      std::strcmp(name_of(type), type_name) != 0)
    refuse("A type's name is not its full name.");
  Oid function, element;
  if (form == text_form) {
    if (bytes.find('\0') != bytes.npos)
      refuse("A text ends early.");
    getTypeInputInfo(type, &function, &element);
    return typed(type,
                 OidInputFunctionCall(function, pnstrdup(bytes.data(), bytes.size()), element, -1));
  }
  getTypeBinaryInputInfo(type, &function, &element);
  StringInfoData message;
  initStringInfo(&message);
  appendBinaryStringInfo(&message, bytes.data(), int(bytes.size()));
  Datum datum = 0;
  in_server_encoding([&] { datum = OidReceiveFunctionCall(function, &message, element, -1); });
  if (message.cursor != message.len)
    refuse("A value is shorter than its bytes.");
  return typed(type, datum);
}

} // namespace brainsait::pg
