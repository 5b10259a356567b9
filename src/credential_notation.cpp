// How integrations.credentials and webhooks.secret write envelopes, and what is in them.

#include "credential_notation.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

std::string_view view(const text *value) {
  return {VARDATA_ANY(value), std::size_t(VARSIZE_ANY_EXHDR(value))};
}

struct Field {
  std::string_view name;
  jbvType type;
  std::string_view core::EnvelopeFields::*value;
};
constexpr Field fields[] = {
    {"version", jbvNumeric, &core::EnvelopeFields::version},
    {"key", jbvNumeric, &core::EnvelopeFields::key},
    {"nonce", jbvString, &core::EnvelopeFields::nonce},
    {"ciphertext", jbvString, &core::EnvelopeFields::ciphertext},
    {"tag", jbvString, &core::EnvelopeFields::tag},
};

const JsonbValue *find_field(Jsonb *object, const Field &field) {
  JsonbValue name;
  name.type = jbvString;
  name.val.string.val = const_cast<char *>(field.name.data());
  name.val.string.len = int(field.name.size());
  return findJsonbValueFromContainer(&object->root, JB_FOBJECT, &name);
}

bool has_names_of_envelope(Jsonb *object) {
  if (!JB_ROOT_IS_OBJECT(object) || JB_ROOT_COUNT(object) != std::size(fields))
    return false;
  for (const Field &field : fields)
    if (find_field(object, field) == nullptr)
      return false;
  return true;
}

/// What stands in a field; no number and no base64 where it is of another type.
std::string_view field_text(const JsonbValue &value, jbvType type) {
  if (value.type != type)
    return "?";
  if (type == jbvNumeric)
    return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
  return {value.val.string.val, std::size_t(value.val.string.len)};
}

core::EnvelopeFields fields_of(Jsonb *object) {
  core::EnvelopeFields found;
  for (const Field &field : fields)
    found.*field.value = field_text(*find_field(object, field), field.type);
  return found;
}

} // namespace

const char *secret_column_name(SecretColumn column) {
  return column == SecretColumn::webhook_secret ? "webhooks.secret" : "integrations.credentials";
}

bool is_envelope(SecretColumn column, Datum value) {
  if (column == SecretColumn::webhook_secret)
    return view(DatumGetTextPP(value)).starts_with(core::envelope_text_prefix);
  return has_names_of_envelope(DatumGetJsonbP(value));
}

bool parse_envelope(SecretColumn column, Datum value, core::Envelope &envelope,
                    pg::Failure &failure) {
  if (column == SecretColumn::webhook_secret) {
    std::string_view written = view(DatumGetTextPP(value));
    std::span<uint8> buffer(static_cast<uint8 *>(palloc(written.size())), written.size());
    return pg::guarded(failure, [&] { envelope = core::read_envelope_text(written, buffer); });
  }
  core::EnvelopeFields found = fields_of(DatumGetJsonbP(value));
  std::size_t size = found.ciphertext.size();
  std::span<uint8> buffer(static_cast<uint8 *>(palloc(size + 1)), size);
  return pg::guarded(failure, [&] { envelope = core::read_envelope_fields(found, buffer); });
}

core::Envelope read_envelope(SecretColumn column, Datum value, int sqlstate) {
  core::Envelope envelope;
  pg::Failure failure;
  if (!parse_envelope(column, value, envelope, failure))
    ereport(ERROR,
            (errcode(sqlstate), errmsg("malformed envelope in %s", secret_column_name(column)),
             errdetail("%s", failure.message)));
  return envelope;
}

Datum write_envelope(SecretColumn column, const core::Envelope &envelope) {
  bool is_text = column == SecretColumn::webhook_secret;
  std::size_t room = is_text ? core::largest_envelope_text(envelope.ciphertext.size())
                             : core::largest_envelope_json(envelope.ciphertext.size());
  auto *written = static_cast<char *>(palloc(room + 1));
  std::size_t size = 0;
  pg::run_guarded([&] {
    size = is_text ? core::write_envelope_text(envelope, {written, room})
                   : core::write_envelope_json(envelope, {written, room});
  });
  if (is_text)
    return PointerGetDatum(cstring_to_text_with_len(written, int(size)));
  written[size] = '\0';
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(written));
}

std::span<uint8> plain_bytes(SecretColumn column, Datum value) {
  char *plain;
  if (column == SecretColumn::webhook_secret) {
    plain = text_to_cstring(DatumGetTextPP(value));
  } else {
    Jsonb *json = DatumGetJsonbP(value);
    plain = JsonbToCString(nullptr, &json->root, int(VARSIZE(json)));
  }
  char *utf8 = pg_server_to_any(plain, int(std::strlen(plain)), PG_UTF8);
  if (utf8 != plain)
    explicit_bzero(plain, std::strlen(plain));
  return {reinterpret_cast<uint8 *>(utf8), std::strlen(utf8)};
}

Datum plain_value(SecretColumn column, std::span<uint8> bytes) {
  auto *utf8 = reinterpret_cast<char *>(bytes.data());
  char *plain = pg_any_to_server(utf8, int(bytes.size()), PG_UTF8);
  Datum value = column == SecretColumn::webhook_secret
                    ? PointerGetDatum(cstring_to_text(plain))
                    : DirectFunctionCall1(jsonb_in, CStringGetDatum(plain));
  if (plain != utf8)
    explicit_bzero(plain, std::strlen(plain));
  return value;
}

} // namespace brainsait
