#include "dispatcher/store_session.hpp"

#include "pg/database_worker.hpp"
#include "pg/guard.hpp"
#include "pg/query.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "pgstat.h"
#include "utils/array.h"
}

namespace brainsait::dispatcher {
namespace {

pg::StoreQuery claim_query("SELECT c.delivery_id, c.webhook_id, c.tenant_id, c.attempt, c.url,"
                           " c.body, "
                           "ARRAY(SELECT pg_catalog.concat(h.key, ': ', h.value) "
                           "      FROM pg_catalog.jsonb_each_text(c.headers) h) "
                           "FROM @store@.claim_webhook_deliveries($1, $2, $3, $4) c",
                           INT4OID, INTERVALOID, INT4OID, UUIDARRAYOID);

pg::StoreQuery
    complete_query("SELECT @store@.complete_webhook_delivery($1, $2, $3, $4, $5, $6, $7)", UUIDOID,
                   INT4OID, INT4OID, TEXTOID, INT4OID, INTERVALOID, TEXTOID);

/// A transaction in the store as the operators' role, its end included: triggers of whoever may
/// put some on the tables are not to run as the superuser that the worker connects as. An error's
/// abort gives the worker its user back.
struct Session {
  pg::Store store;
  Oid user;
  int security_context;
};

bool has_function(Oid schema, const char *name, int argument_count, const Oid *types) {
  List *path = list_make2(makeString(get_namespace_name(schema)), makeString(pstrdup(name)));
  return OidIsValid(LookupFuncName(path, argument_count, types, true));
}

/// False where there is no store that has webhooks to send; then the transaction is over.
bool begin_session(Session &session) {
  static constexpr Oid claim_types[] = {INT4OID, INTERVALOID, INT4OID, UUIDARRAYOID};
  pg::begin_worker_transaction();
  const Oid schema = pg::extension_schema();
  const Oid role = get_role_oid("brainsait_operator", true);
  if (!OidIsValid(schema) || !OidIsValid(role) ||
      !OidIsValid(get_relname_relid("tenants", schema)) ||
      !has_function(schema, "claim_webhook_deliveries", 4, claim_types)) {
    CommitTransactionCommand();
    return false;
  }
  session.store = pg::store_in_schema(schema);
  GetUserIdAndSecContext(&session.user, &session.security_context);
  SetUserIdAndSecContext(role, session.security_context | SECURITY_LOCAL_USERID_CHANGE);
  if (SPI_connect() != SPI_OK_CONNECT)
    elog(ERROR, "SPI_connect failed");
  return true;
}

void end_session(const Session &session) {
  if (SPI_finish() != SPI_OK_FINISH)
    elog(ERROR, "SPI_finish failed");
  CommitTransactionCommand();
  SetUserIdAndSecContext(session.user, session.security_context);
  pgstat_report_stat(false);
}

/// A row of claim_query, in the memory context that outlives the transaction.
struct ClaimedRow {
  Uuid delivery;
  Uuid webhook;
  Uuid tenant;
  int attempt;
  const char *url;
  const char *body; ///< UTF-8, what the signature is over
  int header_count;
  const char **headers;
};

Datum not_null(uint64 row, int column) {
  bool is_null;
  Datum value = pg::result_datum(row, column, is_null);
  if (is_null)
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("claim_webhook_deliveries() returned null for a delivery")));
  return value;
}

Uuid read_uuid(uint64 row, int column) {
  Uuid uuid;
  std::memcpy(uuid.data(), DatumGetUUIDP(not_null(row, column))->data, uuid.size());
  return uuid;
}

/// What goes over the wire is UTF-8.
const char *in_utf8(const char *text) { return pg_server_to_any(text, int(strlen(text)), PG_UTF8); }

ClaimedRow read_row(uint64 row) {
  ClaimedRow claimed;
  claimed.delivery = read_uuid(row, 1);
  claimed.webhook = read_uuid(row, 2);
  claimed.tenant = read_uuid(row, 3);
  claimed.attempt = DatumGetInt32(not_null(row, 4));
  claimed.url = in_utf8(TextDatumGetCString(not_null(row, 5)));
  claimed.body = in_utf8(TextDatumGetCString(not_null(row, 6)));
  Datum *headers;
  deconstruct_array(DatumGetArrayTypeP(not_null(row, 7)), TEXTOID, -1, false, TYPALIGN_INT,
                    &headers, nullptr, &claimed.header_count);
  claimed.headers = static_cast<const char **>(palloc(sizeof(char *) * claimed.header_count));
  for (int i = 0; i < claimed.header_count; ++i)
    claimed.headers[i] = in_utf8(TextDatumGetCString(headers[i]));
  return claimed;
}

/// Copies the result of claim_query out of SPI's memory.
ClaimedRow *read_rows(MemoryContext context) {
  MemoryContext before = MemoryContextSwitchTo(context);
  auto *rows = static_cast<ClaimedRow *>(palloc(sizeof(ClaimedRow) * (SPI_processed + 1)));
  for (uint64 row = 0; row < SPI_processed; ++row)
    rows[row] = read_row(row);
  MemoryContextSwitchTo(before);
  return rows;
}

Datum interval_of(int64 seconds) {
  auto *interval = static_cast<Interval *>(palloc0(sizeof(Interval)));
  interval->time = seconds * USECS_PER_SEC;
  return IntervalPGetDatum(interval);
}

Datum uuid_array(const Uuid *uuids, int count) {
  auto *elements = static_cast<Datum *>(palloc(sizeof(Datum) * Size(count + 1)));
  auto *copies = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t) * Size(count + 1)));
  for (int i = 0; i < count; ++i) {
    std::memcpy(copies[i].data, uuids[i].data(), sizeof copies[i].data);
    elements[i] = UUIDPGetDatum(&copies[i]);
  }
  return PointerGetDatum(construct_array(elements, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

void hand_over(const ClaimPass &pass, const ClaimedRow *rows) {
  pg::run_guarded([&pass, rows] {
    for (int64 row = 0; row < pass.claimed; ++row) {
      Claim claim;
      claim.delivery = rows[row].delivery;
      claim.webhook = rows[row].webhook;
      claim.tenant = rows[row].tenant;
      claim.attempt = rows[row].attempt;
      claim.url = rows[row].url;
      claim.body = rows[row].body;
      claim.headers.assign(rows[row].headers, rows[row].headers + rows[row].header_count);
      claim.latest_begin = pass.latest_begin;
      pass.sender->add(std::move(claim));
    }
    pass.sender->claim_ended(pass.share);
  });
}

void record(const pg::Store &store, const Result &result) {
  pg_uuid_t delivery;
  std::memcpy(delivery.data, result.delivery.data(), sizeof delivery.data);
  const bool answered = result.status != 0;
  const bool waits = result.retry_after.has_value();
  Datum arguments[] = {
      UUIDPGetDatum(&delivery),
      Int32GetDatum(result.attempt),
      Int32GetDatum(result.status),
      PointerGetDatum(cstring_to_text_with_len(result.body.data(), int(result.body.size()))),
      Int32GetDatum(result.milliseconds),
      interval_of(waits ? *result.retry_after : 0),
      PointerGetDatum(cstring_to_text(answered ? "" : result.error)),
  };
  const char nulls[] = {' ',
                        ' ',
                        answered ? ' ' : 'n',
                        answered ? ' ' : 'n',
                        ' ',
                        waits ? ' ' : 'n',
                        answered ? 'n' : ' '};
  complete_query.run(store, arguments, nulls);
  bool is_null = true;
  Datum state = SPI_processed == 1 ? pg::result_datum(0, 1, is_null) : Datum(0);
  ereport(DEBUG1,
          (errmsg_internal("webhook delivery %s, attempt %d: status %d in %d ms: %s",
                           DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&delivery))),
                           result.attempt, result.status, result.milliseconds,
                           is_null ? "nothing recorded" : TextDatumGetCString(state))));
}

} // namespace

void claim_deliveries(ClaimPass &pass) {
  MemoryContext context = CurrentMemoryContext;
  Session session;
  pass.store_is_missing = !begin_session(session);
  if (pass.store_is_missing)
    return;
  Datum arguments[] = {Int32GetDatum(pass.most), interval_of(pass.lease_seconds),
                       Int32GetDatum(pass.share), uuid_array(pass.full, pass.full_count)};
  claim_query.run(session.store, arguments);
  const int64 count = int64(SPI_processed);
  const ClaimedRow *rows = read_rows(context);
  end_session(session);
  MemoryContextSwitchTo(context);
  pass.claimed = count;
  hand_over(pass, rows);
}

void record_results(const std::deque<Result> &results, std::size_t count) {
  Session session;
  if (!begin_session(session))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the store is gone that webhooks were sent for")));
  for (std::size_t i = 0; i < count; ++i)
    record(session.store, results[i]);
  end_session(session);
}

} // namespace brainsait::dispatcher
