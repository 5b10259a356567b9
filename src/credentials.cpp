// Reading credentials back, new secrets for webhooks, and what rotation of keys is made of.

#include "credential_vault.hpp"
#include "pg/query.hpp"
#include "tenant_context.hpp"

extern "C" {
#include "utils/array.h"
}

namespace brainsait {
namespace {

pg::StoreQuery credentials_of("SELECT credentials FROM @store@.integrations "
                              "WHERE tenant_id OPERATOR(pg_catalog.=) $1 "
                              "AND id OPERATOR(pg_catalog.=) $2",
                              UUIDOID, UUIDOID);
pg::StoreQuery secret_of("SELECT secret::pg_catalog.text FROM @store@.webhooks "
                         "WHERE tenant_id OPERATOR(pg_catalog.=) $1 "
                         "AND id OPERATOR(pg_catalog.=) $2",
                         UUIDOID, UUIDOID);
pg::StoreQuery replace_secret("UPDATE @store@.webhooks SET secret = $3, "
                              "previous_secret = CASE WHEN $4 OPERATOR(pg_catalog.>) "
                              "pg_catalog.now() THEN secret END, "
                              "previous_secret_until = CASE WHEN $4 OPERATOR(pg_catalog.>) "
                              "pg_catalog.now() THEN $4 END "
                              "WHERE tenant_id OPERATOR(pg_catalog.=) $1 "
                              "AND id OPERATOR(pg_catalog.=) $2",
                              UUIDOID, UUIDOID, VARCHAROID, TIMESTAMPTZOID);

/// What a row of the transaction's tenant stores, opened; null where there is no such row, or
/// nothing in it.
Datum open_own(FunctionCallInfo fcinfo, pg::StoreQuery &query, SecretColumn column) {
  const pg_uuid_t *tenant = current_tenant();
  if (tenant == nullptr)
    PG_RETURN_NULL();
  const pg::Store &store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  SecretRow row = {*tenant, *PG_GETARG_UUID_P(0)};
  Datum arguments[] = {UUIDPGetDatum(&row.tenant), UUIDPGetDatum(&row.id)};
  Datum result = 0;
  bool is_null = true;
  pg::OwnerSession session = pg::begin_owner_session(store);
  query.read(store, arguments);
  if (SPI_processed == 1) {
    Datum stored = pg::result_datum(0, 1, is_null);
    if (!is_null) {
      Datum opened = open_secret(column, row, stored);
      result = SPI_datumTransfer(opened, false, -1);
      if (opened != stored)
        forget_secret(opened);
    }
  }
  pg::end_owner_session(session);
  if (is_null)
    PG_RETURN_NULL();
  return result;
}

/// When the secret before ends to be good.
TimestampTz end_of_overlap(Interval &overlap) {
  TimestampTz now = GetCurrentTransactionStartTimestamp();
  TimestampTz end = DatumGetTimestampTz(DirectFunctionCall2(
      timestamptz_pl_interval, TimestampTzGetDatum(now), IntervalPGetDatum(&overlap)));
  if (end < now || TIMESTAMP_NOT_FINITE(end))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the overlap must be an interval from 0 on")));
  return end;
}

/// credential_key(): the key id of a value that is a well-formed envelope, else null.
Datum key_of(FunctionCallInfo fcinfo, SecretColumn column) {
  core::Envelope envelope;
  pg::Failure failure;
  if (!is_envelope(column, PG_GETARG_DATUM(0)) ||
      !parse_envelope(column, PG_GETARG_DATUM(0), envelope, failure))
    PG_RETURN_NULL();
  PG_RETURN_INT32(int32(envelope.key_id));
}

Datum reseal(FunctionCallInfo fcinfo, SecretColumn column) {
  SecretRow row = {*PG_GETARG_UUID_P(0), *PG_GETARG_UUID_P(1)};
  return reseal_secret(column, row, row, PG_GETARG_DATUM(2));
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_integration_credentials);
PG_FUNCTION_INFO_V1(brainsait_webhook_secret);
PG_FUNCTION_INFO_V1(brainsait_rotate_webhook_secret);
PG_FUNCTION_INFO_V1(brainsait_credential_keys);
PG_FUNCTION_INFO_V1(brainsait_credential_key_of_json);
PG_FUNCTION_INFO_V1(brainsait_credential_key_of_text);
PG_FUNCTION_INFO_V1(brainsait_reseal_credentials);
PG_FUNCTION_INFO_V1(brainsait_reseal_secret);

/// integration_credentials(uuid): the credentials of an integration of the transaction's tenant.
Datum brainsait_integration_credentials(PG_FUNCTION_ARGS) {
  return open_own(fcinfo, credentials_of, SecretColumn::integration_credentials);
}

/// webhook_secret(uuid): the secret of a webhook of the transaction's tenant.
Datum brainsait_webhook_secret(PG_FUNCTION_ARGS) {
  return open_own(fcinfo, secret_of, SecretColumn::webhook_secret);
}

/// rotate_webhook_secret(uuid, interval): gives a webhook of the transaction's tenant a new secret,
/// keeps the one before for the overlap (0: not at all), and returns the new one. Errors: 22004
/// null, 22023 an overlap that is negative or infinite, P0002 no such webhook, those of
/// seal_webhook().
Datum brainsait_rotate_webhook_secret(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("%s must not be null", PG_ARGISNULL(0) ? "webhook" : "overlap")));
  TimestampTz until = end_of_overlap(*PG_GETARG_INTERVAL_P(1));
  const pg_uuid_t *tenant = current_tenant();
  uint64 changed = 0;
  text *secret = new_webhook_secret();
  if (tenant != nullptr) {
    const pg::Store &store = pg::store_of_function(fcinfo->flinfo->fn_oid);
    Datum arguments[] = {UUIDPGetDatum(tenant), PG_GETARG_DATUM(0), PointerGetDatum(secret),
                         TimestampTzGetDatum(until)};
    pg::OwnerSession session = pg::begin_owner_session(store);
    replace_secret.run(store, arguments);
    changed = SPI_processed;
    pg::end_owner_session(session);
  }
  if (changed == 0)
    ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is no such webhook")));
  PG_RETURN_TEXT_P(secret);
}

/// credential_keys() -> integer[]: the ids of the live keys, the one that encrypts first.
Datum brainsait_credential_keys(PG_FUNCTION_ARGS) {
  const core::CredentialKeys &live = live_credential_keys();
  Datum ids[core::CredentialKeys::most];
  for (std::size_t i = 0; i < live.count; ++i)
    ids[i] = Int32GetDatum(int32(live.keys[i].id));
  PG_RETURN_ARRAYTYPE_P(
      construct_array(ids, int(live.count), INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

/// credential_key(jsonb), credential_key(text): the id of the key that an envelope is sealed by;
/// null for what is no envelope.
Datum brainsait_credential_key_of_json(PG_FUNCTION_ARGS) {
  return key_of(fcinfo, SecretColumn::integration_credentials);
}
Datum brainsait_credential_key_of_text(PG_FUNCTION_ARGS) {
  return key_of(fcinfo, SecretColumn::webhook_secret);
}

/// reseal_credentials(uuid, uuid, jsonb), reseal_secret(uuid, uuid, text): what this tenant's row
/// stores, in clear or not, sealed anew by the first key. Errors: 55000 a key is missing, XX001 it
/// does not open, 22001 too long a secret.
Datum brainsait_reseal_credentials(PG_FUNCTION_ARGS) {
  return reseal(fcinfo, SecretColumn::integration_credentials);
}
Datum brainsait_reseal_secret(PG_FUNCTION_ARGS) {
  return reseal(fcinfo, SecretColumn::webhook_secret);
}
}
