// seal_integration() and seal_webhook(): BEFORE triggers that put envelopes in the place of
// credentials, so that these reach neither table nor WAL.

#include "credential_vault.hpp"
#include "pg/trigger.hpp"
#include "statement_privacy.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/jsonb.h"
}

namespace brainsait {
namespace {

/// A row on its way into its table.
struct WrittenRow {
  Relation relation;
  HeapTuple old_row; ///< nullptr for INSERT
  HeapTuple new_row;
};

struct Value {
  Datum datum;
  bool is_null;
};

Value column_value(const WrittenRow &row, HeapTuple tuple, int number) {
  Value value;
  value.datum = heap_getattr(tuple, number, RelationGetDescr(row.relation), &value.is_null);
  return value;
}

/// The id or tenant_id of a row. That they are not null is checked after this trigger, but then the
/// error would show the row as it came.
pg_uuid_t identity(const WrittenRow &row, HeapTuple tuple, const char *column) {
  Value value = column_value(row, tuple, pg::column_of_type(row.relation, column, UUIDOID));
  if (value.is_null)
    ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                    errmsg("null value in column \"%s\" of relation \"%s\"", column,
                           RelationGetRelationName(row.relation))));
  return *DatumGetUUIDP(value.datum);
}

SecretRow identity(const WrittenRow &row, HeapTuple tuple) {
  return {identity(row, tuple, "tenant_id"), identity(row, tuple, "id")};
}

bool is_same(const SecretRow &a, const SecretRow &b) {
  return std::memcmp(&a.tenant, &b.tenant, UUID_LEN) == 0 &&
         std::memcmp(&a.id, &b.id, UUID_LEN) == 0;
}

/// The envelope that an INSERT of this transaction made last. ON CONFLICT DO UPDATE SET ... =
/// EXCLUDED... hands it on to a row of another id.
struct LastInserted {
  core::Envelope envelope;
  SecretRow row;
  TimestampTz transaction;
};
LastInserted last_inserted = {};

void remember(SecretColumn column, const SecretRow &row, Datum sealed) {
  last_inserted.envelope = read_envelope(column, sealed, ERRCODE_INTERNAL_ERROR);
  last_inserted.envelope.ciphertext = {};
  last_inserted.row = row;
  last_inserted.transaction = GetCurrentTransactionStartTimestamp();
}

bool is_excluded_row(const core::Envelope &envelope, const SecretRow &row) {
  return envelope.nonce == last_inserted.envelope.nonce &&
         envelope.tag == last_inserted.envelope.tag &&
         last_inserted.transaction == GetCurrentTransactionStartTimestamp() &&
         std::memcmp(&row.tenant, &last_inserted.row.tenant, UUID_LEN) == 0;
}

/// '{}' and 'null': nothing to protect, and no key is needed to write it.
bool is_nothing(SecretColumn column, Datum value) {
  if (column != SecretColumn::integration_credentials)
    return false;
  Jsonb *json = DatumGetJsonbP(value);
  if (JB_ROOT_IS_OBJECT(json))
    return JB_ROOT_COUNT(json) == 0;
  JsonbValue scalar;
  return JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &scalar) &&
         scalar.type == jbvNull;
}

/// What the row is to hold in the place of an envelope that was written: itself, if it is this
/// row's. Raises 22023 where it is another's.
Datum accept_envelope(SecretColumn column, const SecretRow &row, Datum written) {
  core::Envelope envelope = read_envelope(column, written, ERRCODE_INVALID_PARAMETER_VALUE);
  // Changes that are replicated were checked where they were made, and a subscriber needs no key.
  if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
    return written;
  if (opens(column, row, envelope))
    return written;
  if (is_excluded_row(envelope, row))
    return reseal_secret(column, last_inserted.row, row, written);
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
           errmsg("%s is the envelope of another row, or was changed", secret_column_name(column)),
           errhint("Write what is to be encrypted.")));
}

/// What the column is to hold; a null value leaves it alone.
Value sealed_value(const WrittenRow &written, SecretColumn column, int number) {
  Value value = column_value(written, written.new_row, number);
  if (value.is_null)
    return value;
  constexpr Value as_it_is = {0, true};
  SecretRow row = identity(written, written.new_row);
  if (written.old_row != nullptr) {
    Value before = column_value(written, written.old_row, number);
    if (!before.is_null && datum_image_eq(before.datum, value.datum, false, -1)) {
      SecretRow old_row = identity(written, written.old_row);
      if (is_same(old_row, row) || is_nothing(column, value.datum))
        return as_it_is;
      return {reseal_secret(column, old_row, row, value.datum), false};
    }
  }
  if (is_nothing(column, value.datum))
    return as_it_is;
  hide_statement_with_credentials();
  if (is_envelope(column, value.datum))
    return {accept_envelope(column, row, value.datum), false};
  Datum sealed = seal_secret(column, row, value.datum);
  if (written.old_row == nullptr)
    remember(column, row, sealed);
  return {sealed, false};
}

void seal(WrittenRow &written, SecretColumn column, const char *name, Oid type) {
  int number = pg::column_of_type(written.relation, name, type);
  Value sealed = sealed_value(written, column, number);
  if (!sealed.is_null)
    written.new_row = pg::with_column(written.new_row, written.relation, number, sealed.datum);
}

WrittenRow written_row(FunctionCallInfo fcinfo, const char *function) {
  TriggerData &data = pg::trigger_data(
      fcinfo, function, "BEFORE INSERT OR UPDATE FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               (TRIGGER_FIRED_BY_INSERT(event) || TRIGGER_FIRED_BY_UPDATE(event));
      });
  bool is_update = TRIGGER_FIRED_BY_UPDATE(data.tg_event);
  return {data.tg_relation, is_update ? data.tg_trigtuple : nullptr,
          is_update ? data.tg_newtuple : data.tg_trigtuple};
}

/// A secret for a webhook that is made without one.
void generate_secret(WrittenRow &written) {
  int number = pg::column_of_type(written.relation, "secret", VARCHAROID);
  if (written.old_row != nullptr || !column_value(written, written.new_row, number).is_null)
    return;
  Datum secret = PointerGetDatum(new_webhook_secret());
  SecretRow row = identity(written, written.new_row);
  Datum sealed = seal_secret(SecretColumn::webhook_secret, row, secret);
  forget_secret(secret);
  written.new_row = pg::with_column(written.new_row, written.relation, number, sealed);
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_seal_integration);
PG_FUNCTION_INFO_V1(brainsait_seal_webhook);

/// seal_integration(): BEFORE INSERT OR UPDATE, replaces credentials by their envelope.
Datum brainsait_seal_integration(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  WrittenRow written = written_row(fcinfo, "seal_integration");
  seal(written, SecretColumn::integration_credentials, "credentials", JSONBOID);
  return PointerGetDatum(written.new_row);
}

/// seal_webhook(): BEFORE INSERT OR UPDATE, replaces secret and previous_secret by their envelopes,
/// and makes a secret for a new webhook without one.
Datum brainsait_seal_webhook(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  WrittenRow written = written_row(fcinfo, "seal_webhook");
  generate_secret(written);
  seal(written, SecretColumn::webhook_secret, "secret", VARCHAROID);
  seal(written, SecretColumn::webhook_secret, "previous_secret", VARCHAROID);
  return PointerGetDatum(written.new_row);
}
}
