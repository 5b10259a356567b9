// How webhooks are signed.

#include "webhook_signature.hpp"

#include "core/base64.hpp"
#include "pg/hmac.hpp"

extern "C" {
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
}

namespace brainsait {
namespace {

std::string_view utf8_of(text *value) {
  int length = VARSIZE_ANY_EXHDR(value);
  char *converted = pg_server_to_any(VARDATA_ANY(value), length, PG_UTF8);
  bool is_same = converted == VARDATA_ANY(value);
  return {converted, is_same ? std::size_t(length) : std::strlen(converted)};
}

/// The key that a secret stands for under Standard Webhooks.
std::span<const uint8> standard_key(text *secret) {
  std::string_view written = utf8_of(secret);
  constexpr std::string_view prefix = "whsec_";
  if (written.starts_with(prefix)) {
    std::string_view encoded = written.substr(prefix.size());
    if (std::optional<std::size_t> size = core::base64_bytes(encoded); size && *size > 0) {
      std::span<uint8> key(static_cast<uint8 *>(palloc(*size)), *size);
      if (core::read_base64(encoded, key))
        return key;
    }
  }
  return pg::bytes_of(written);
}

/// Lower-case hexadecimal digits.
const char *hexadecimal(std::span<const uint8> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  auto *text = static_cast<char *>(palloc(2 * bytes.size() + 1));
  char *at = text;
  for (uint8 byte : bytes) {
    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 15];
  }
  *at = '\0';
  return text;
}

const char *plain_signature(text *secret, text *body) {
  pg::HmacSha256 digest =
      pg::hmac_sha256(pg::bytes_of(utf8_of(secret)), {pg::bytes_of(utf8_of(body))});
  return hexadecimal(digest);
}

/// A header's value holds what is printable ASCII, and no line's end: whoever wrote the row.
const char *header_value(text *value) {
  char *safe = text_to_cstring(value);
  for (char *c = safe; *c != '\0'; ++c)
    if (*c < ' ' || *c > '~')
      *c = '?';
  return safe;
}

const char *uuid_text(const pg_uuid_t &id) {
  return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&id)));
}

void add_header(JsonbParseState *&state, const char *name, const char *value) {
  JsonbValue key, string;
  key.type = string.type = jbvString;
  key.val.string = {int(std::strlen(name)), const_cast<char *>(name)};
  string.val.string = {int(std::strlen(value)), const_cast<char *>(value)};
  (void)pushJsonbValue(&state, WJB_KEY, &key);
  (void)pushJsonbValue(&state, WJB_VALUE, &string);
}

} // namespace

const char *standard_webhook_signature(text *secret, const char *id, int64 time, text *body) {
  const char *start = psprintf("%s." INT64_FORMAT ".", id, time);
  pg::HmacSha256 digest =
      pg::hmac_sha256(standard_key(secret), {pg::bytes_of(start), pg::bytes_of(utf8_of(body))});
  auto *signature = static_cast<char *>(palloc(3 + core::base64_size(digest.size()) + 1));
  std::memcpy(signature, "v1,", 3);
  *core::write_base64(digest, signature + 3) = '\0';
  return signature;
}

Jsonb *webhook_headers(const WebhookMessage &message, const WebhookSecrets &secrets) {
  const char *id = uuid_text(message.event);
  const char *signatures =
      standard_webhook_signature(secrets.current, id, message.time, message.body);
  JsonbParseState *state = nullptr;
  (void)pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  add_header(state, "Content-Type", "application/json");
  add_header(state, "User-Agent", "brainsait-webhooks/1");
  add_header(state, "X-BrainSAIT-Event", header_value(message.type));
  add_header(state, "X-BrainSAIT-Delivery", uuid_text(message.delivery));
  add_header(state, "X-BrainSAIT-Signature", plain_signature(secrets.current, message.body));
  if (secrets.previous != nullptr) {
    add_header(state, "X-BrainSAIT-Signature-Previous",
               plain_signature(secrets.previous, message.body));
    signatures =
        psprintf("%s %s", signatures,
                 standard_webhook_signature(secrets.previous, id, message.time, message.body));
  }
  add_header(state, "webhook-id", id);
  add_header(state, "webhook-timestamp", psprintf(INT64_FORMAT, message.time));
  add_header(state, "webhook-signature", signatures);
  return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_webhook_signature);

/// webhook_signature(secret, message_id, timestamp, body): what stands in webhook-signature.
Datum brainsait_webhook_signature(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  const char *signature =
      standard_webhook_signature(PG_GETARG_TEXT_PP(0), text_to_cstring(PG_GETARG_TEXT_PP(1)),
                                 PG_GETARG_INT64(2), PG_GETARG_TEXT_PP(3));
  PG_RETURN_TEXT_P(cstring_to_text(signature));
}
}
