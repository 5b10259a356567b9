// The bodies of webhooks.

#include "webhook_body.hpp"

extern "C" {
#include "access/detoast.h"
#include "lib/stringinfo.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

/// Of the body's shape; grows when that changes in a way that a receiver has to know of.
constexpr char api_version[] = "1";

/// A time as ISO 8601 in UTC, whatever the session's time zone.
void append_time(StringInfo out, TimestampTz time, bool with_z) {
  char text[MAXDATELEN + 1];
  int utc = 0;
  JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
  static constexpr char offset[] = "+00:00";
  std::size_t length = std::strlen(text);
  if (with_z && length > sizeof offset &&
      std::strcmp(text + length - (sizeof offset - 1), offset) == 0)
    strlcpy(text + length - (sizeof offset - 1), "Z", sizeof offset);
  escape_json(out, text);
}

void append_uuid(StringInfo out, const pg_uuid_t *id) {
  escape_json(out, DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))));
}

void append_number(StringInfo out, Datum value) {
  Numeric number = DatumGetNumeric(value);
  char *printed = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
  if (numeric_is_nan(number) || numeric_is_inf(number))
    escape_json(out, printed); // JSON has no such number
  else
    appendStringInfoString(out, printed);
}

void append_jsonb(StringInfo out, Datum value) {
  Jsonb *json = DatumGetJsonbP(value);
  (void)JsonbToCString(out, &json->root, int(VARSIZE(json)));
}

void append_value(StringInfo out, Oid type, Datum value) {
  switch (getBaseType(type)) {
  case BOOLOID:
    appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
    break;
  case NUMERICOID:
    append_number(out, value);
    break;
  case TIMESTAMPTZOID:
    append_time(out, DatumGetTimestampTz(value), false);
    break;
  case JSONBOID:
    append_jsonb(out, value);
    break;
  default: {
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    escape_json(out, OidOutputFunctionCall(output, value));
  }
  }
}

/// A value beyond this is not even unpacked: no type takes more bytes than this for a text that
/// would fit.
constexpr Size largest_value = 16 * largest_webhook_body;

bool is_too_large(Datum value, const Form_pg_attribute attribute) {
  return attribute->attlen == -1 && toast_raw_datum_size(value) > largest_value;
}

/// The row as a JSON object, in `out`; false, with what is there so far, where it gets too large.
bool append_row(StringInfo out, Relation relation, TupleTableSlot *row,
                std::span<const char *const> names) {
  TupleDesc columns = RelationGetDescr(relation);
  char before = '{';
  for (const char *name : names) {
    int number = SPI_fnumber(columns, name);
    if (number <= 0)
      continue;
    const Form_pg_attribute attribute = TupleDescAttr(columns, number - 1);
    bool is_null;
    Datum value = slot_getattr(row, number, &is_null);
    appendStringInfoChar(out, before);
    before = ',';
    escape_json(out, name);
    appendStringInfoChar(out, ':');
    if (is_null)
      appendStringInfoString(out, "null");
    else if (is_too_large(value, attribute))
      return false;
    else
      append_value(out, attribute->atttypid, value);
    if (out->len > largest_webhook_body)
      return false;
  }
  if (before == '{')
    appendStringInfoChar(out, before);
  appendStringInfoChar(out, '}');
  return true;
}

/// The object of a thin payload, by the text of its id; nullptr where it has none.
char *id_alone(const char *id) {
  StringInfoData out;
  initStringInfo(&out);
  appendStringInfoChar(&out, '{');
  if (id != nullptr)
    appendStringInfo(&out, "\"id\":%s", id);
  appendStringInfoChar(&out, '}');
  return out.data;
}

Jsonb *payload_with(const WebhookEnvelope &envelope, const char *object, bool is_thin) {
  StringInfoData out;
  initStringInfo(&out);
  appendStringInfoString(&out, "{\"id\":");
  append_uuid(&out, envelope.event);
  appendStringInfoString(&out, ",\"event\":");
  escape_json(&out, envelope.type);
  appendStringInfoString(&out, ",\"type\":");
  escape_json(&out, envelope.type);
  appendStringInfo(&out, ",\"created\":" INT64_FORMAT ",\"timestamp\":",
                   int64(timestamptz_to_time_t(envelope.created)));
  append_time(&out, envelope.created, true);
  appendStringInfo(&out, ",\"data\":{\"object\":%s%s},\"tenant_id\":", object,
                   is_thin ? ",\"thin\":true" : "");
  append_uuid(&out, envelope.tenant);
  appendStringInfo(&out, ",\"api_version\":\"%s\"}", api_version);
  return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data)));
}

bool fits(Jsonb *payload) {
  StringInfoData out;
  initStringInfo(&out);
  (void)JsonbToCString(&out, &payload->root, int(VARSIZE(payload)));
  return out.len <= largest_webhook_body;
}

/// `object` is nullptr where it is known to be too large.
Jsonb *payload_of(const WebhookEnvelope &envelope, const char *object, const char *id) {
  if (object != nullptr) {
    Jsonb *payload = payload_with(envelope, object, false);
    if (fits(payload))
      return payload;
  }
  Jsonb *thin = payload_with(envelope, id_alone(id), true);
  return fits(thin) ? thin : payload_with(envelope, id_alone(nullptr), true);
}

} // namespace

Jsonb *webhook_row_payload(const WebhookEnvelope &envelope, Relation relation, TupleTableSlot *row,
                           std::span<const char *const> names) {
  StringInfoData object;
  initStringInfo(&object);
  bool is_whole = append_row(&object, relation, row, names);
  StringInfoData id;
  initStringInfo(&id);
  int number = SPI_fnumber(RelationGetDescr(relation), "id");
  bool is_null = true;
  Datum value = number > 0 ? slot_getattr(row, number, &is_null) : Datum(0);
  if (!is_null)
    append_value(&id, TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid, value);
  return payload_of(envelope, is_whole ? object.data : nullptr, is_null ? nullptr : id.data);
}

Jsonb *webhook_object_payload(const WebhookEnvelope &envelope, Jsonb *object) {
  StringInfoData text;
  initStringInfo(&text);
  if (VARSIZE(object) <= largest_value)
    append_jsonb(&text, JsonbPGetDatum(object));
  JsonbValue *id = getKeyJsonValueFromContainer(&object->root, "id", 2, nullptr);
  StringInfoData id_text;
  initStringInfo(&id_text);
  if (id != nullptr && id->type == jbvString && id->val.string.len <= 1000)
    escape_json(&id_text, pnstrdup(id->val.string.val, id->val.string.len));
  else if (id != nullptr && id->type == jbvNumeric && VARSIZE_ANY(id->val.numeric) <= 500)
    append_number(&id_text, NumericGetDatum(id->val.numeric));
  return payload_of(envelope, text.len == 0 ? nullptr : text.data,
                    id_text.len == 0 ? nullptr : id_text.data);
}

} // namespace brainsait
