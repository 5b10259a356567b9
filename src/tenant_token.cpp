// set_tenant_token() and make_tenant_token(): the tenant of a transaction from a signed statement,
// so that an application's database session alone cannot choose one.

#include "tenant_token.hpp"

#include "core/tenant_token.hpp"
#include "key_file.hpp"
#include "pg/guard.hpp"
#include "pg/hmac.hpp"
#include "pg/store.hpp"
#include "statement_privacy.hpp"
#include "tenant_context.hpp"

extern "C" {
#include "access/xlog.h"
#include "datatype/timestamp.h"
}

namespace brainsait {
namespace {

bool require_token = false;
int longest_life = 60; // seconds
KeyFile key_file = {.title = "token key file"};
core::TokenKeys keys;

static_assert(core::token_signature_size == PG_SHA256_DIGEST_LENGTH);
static_assert(sizeof(core::TenantToken::tenant) == UUID_LEN);

const core::TokenKeys &live_token_keys() { return live_keys(key_file, keys); }

core::TokenDatabase this_database() {
  return core::token_database(GetSystemIdentifier(), MyDatabaseId);
}

int64 unix_microseconds(TimestampTz time) {
  return time + int64(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

core::TokenSignature sign(const core::FileKey &key, const uint8 *body) {
  return pg::hmac_sha256({key.bytes.data(), key.size}, {{body, core::token_body_size}});
}

core::TokenRefusal judge(std::span<const uint8> bytes, core::TenantToken &token) {
  core::TokenRefusal refusal = core::parse_token(bytes, token);
  if (refusal != core::TokenRefusal::none)
    return refusal;
  const core::FileKey *key = live_token_keys().find(token.key_id);
  if (key == nullptr)
    return core::TokenRefusal::unknown_key;
  return core::judge_token(token, bytes, sign(*key, bytes.data()), this_database(),
                           unix_microseconds(GetCurrentTimestamp()),
                           int64(longest_life) * USECS_PER_SEC);
}

/// The tenant that a token names. Raises 28000, in the same words whatever is wrong with it.
pg_uuid_t tenant_of_token(std::span<const uint8> bytes) {
  core::TenantToken token;
  core::TokenRefusal refusal = judge(bytes, token);
  if (refusal != core::TokenRefusal::none) {
    ereport(LOG_SERVER_ONLY, (errmsg("tenant token refused: %s", core::describe(refusal))));
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("the tenant token is not valid")));
  }
  pg_uuid_t tenant;
  std::memcpy(&tenant, token.tenant.data(), sizeof tenant);
  return tenant;
}

/// The key to sign with: the one of that id, or the first.
const core::FileKey &signing_key(const int32 *id) {
  const core::TokenKeys &live = live_token_keys();
  if (live.count == 0)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("there is no key to sign tenant tokens with"),
                    errhint("Set brainsait.token_key_file; where it is set, the server's log says "
                            "why the file is not used.")));
  const core::FileKey *key = id == nullptr ? &live.keys[0] : live.find(uint32(*id));
  if (key == nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("no live key for tenant tokens has the id %d", *id)));
  return *key;
}

/// When a token made now for `life` expires.
TimestampTz expiry(const Interval &life) {
  TimestampTz now = GetCurrentTimestamp();
  Interval copy = life;
  TimestampTz expires = DatumGetTimestampTz(DirectFunctionCall2(
      timestamptz_pl_interval, TimestampTzGetDatum(now), IntervalPGetDatum(&copy)));
  if (expires <= now || expires > now + int64(longest_life) * USECS_PER_SEC)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("a tenant token lives longer than 0 and at most %d seconds", longest_life),
             errhint("brainsait.token_lifetime is the longest life.")));
  return expires;
}

bytea *bytea_of(std::span<const uint8> bytes) {
  auto *value = static_cast<bytea *>(palloc(VARHDRSZ + bytes.size()));
  SET_VARSIZE(value, VARHDRSZ + bytes.size());
  std::memcpy(VARDATA(value), bytes.data(), bytes.size());
  return value;
}

} // namespace

bool token_is_required() { return require_token; }

void init_tenant_token() {
  DefineCustomStringVariable(
      "brainsait.token_key_file", "File with the keys that sign tenant tokens.",
      "One or two lines: a key id and 32 to 64 bytes in hexadecimal digits. Read again when the "
      "configuration is reloaded. A relative path starts at the data directory.",
      &key_file.path, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("brainsait.require_token",
                           "Lets tenants in by set_tenant_token() only, not by set_tenant().",
                           nullptr, &require_token, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("brainsait.token_lifetime", "The longest life of a tenant token.",
                          "Tokens that expire later are refused, whoever signed them.",
                          &longest_life, 60, 1, SECS_PER_DAY, PGC_SUSET, GUC_UNIT_S, nullptr,
                          nullptr, nullptr);
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_set_tenant_token);
PG_FUNCTION_INFO_V1(brainsait_make_tenant_token);
PG_FUNCTION_INFO_V1(brainsait_token_database);

/// set_tenant_token(bytea): set_tenant() with the tenant that a signed token names. Errors: those
/// of set_tenant(), and 28000 for every token that does not hold; why is in the server's log.
Datum brainsait_set_tenant_token(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  PrivateStatement statement;
  begin_private_statement(statement);
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("token must not be null")));
  RequireTransactionBlock(true, "set_tenant_token()");
  bytea *bytes = PG_GETARG_BYTEA_PP(0);
  pg_uuid_t tenant = tenant_of_token(
      {reinterpret_cast<const uint8 *>(VARDATA_ANY(bytes)), std::size_t(VARSIZE_ANY_EXHDR(bytes))});
  set_tenant(pg::store_of_function(fcinfo->flinfo->fn_oid), tenant);
  end_private_statement(statement);
  PG_RETURN_VOID();
}

/// make_tenant_token(uuid, interval, integer): a token for a tenant of this database, signed by the
/// live key of that id, or the first. Errors: 22004 null tenant or life, 22023 a life out of bounds
/// or no such key, 55000 no key at all.
Datum brainsait_make_tenant_token(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("%s must not be null", PG_ARGISNULL(0) ? "tenant" : "life")));
  int32 key_id = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
  const core::FileKey &key = signing_key(PG_ARGISNULL(2) ? nullptr : &key_id);
  core::TenantToken token = {};
  token.key_id = key.id;
  token.database = this_database();
  std::memcpy(token.tenant.data(), PG_GETARG_UUID_P(0), token.tenant.size());
  token.expires_at = unix_microseconds(expiry(*PG_GETARG_INTERVAL_P(1)));

  uint8 bytes[core::token_size];
  core::TokenBody body = core::encode_token_body(token);
  core::TokenSignature signature = sign(key, body.data());
  std::memcpy(bytes, body.data(), body.size());
  std::memcpy(bytes + body.size(), signature.data(), signature.size());
  PG_RETURN_BYTEA_P(bytea_of(bytes));
}

/// token_database(): how tokens name this database, 12 bytes.
Datum brainsait_token_database(PG_FUNCTION_ARGS) {
  PG_RETURN_BYTEA_P(brainsait::bytea_of(brainsait::this_database()));
}
}
