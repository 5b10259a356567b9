// The outbox of webhooks: events are kept in memory while the transaction runs, and written to
// webhook_deliveries, all in one statement, just before it commits. So an event is there if and
// only if what it tells of is.

#include "webhook_outbox.hpp"

#include "identifiers.hpp"
#include "pg/interval.hpp"
#include "pg/query.hpp"
#include "tenant_context.hpp"
#include "webhook_body.hpp"
#include "webhook_subscriptions.hpp"

extern "C" {
#include "commands/async.h"
#include "utils/array.h"
}

namespace brainsait {
namespace {

constexpr char channel[] = "brainsait_webhooks";

// What a transaction keeps in memory at most before it writes to the outbox.
constexpr int most_pending_events = 1'000;
constexpr Size most_pending_bytes = 4 * 1024 * 1024;

bool notifies = true;

struct PendingEvent {
  int level; ///< of the subtransaction that it happened in
  pg_uuid_t id;
  pg_uuid_t tenant;
  const char *type;
  Jsonb *payload;
};

/// The running transaction's events, in the order in which they happened; levels never decrease,
/// since deeper ones end first. In TopTransactionContext's care: it goes with the transaction, and
/// so must the pointer.
struct Outbox {
  MemoryContext context;
  Oid schema;
  PendingEvent *events;
  int count;
  int capacity;
  Size bytes;
  bool written; ///< deliveries, which are to be told of at commit
};
Outbox *outbox = nullptr;

// An endpoint is locked as its deliveries' reference to it will be, so that whoever deletes it
// meanwhile waits, or is waited for: checked afterwards, the reference could be found broken, and
// the order refused for it.
pg::StoreQuery write_deliveries(
    "INSERT INTO @store@.webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload,"
    " attempt_count, created_at, status, next_attempt_at) "
    "SELECT w.tenant_id, w.id, e.id, e.type, e.payload, 0, $5, 'pending', $5 "
    "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
    " pg_catalog.unnest($4)) WITH ORDINALITY AS e (tenant, id, type, payload, place) "
    "JOIN @store@.webhooks w ON w.tenant_id OPERATOR(pg_catalog.=) e.tenant "
    "WHERE w.status OPERATOR(pg_catalog.=) 'active' AND @store@.webhook_wants(w.events, e.type) "
    "ORDER BY e.place FOR KEY SHARE OF w",
    UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, JSONBARRAYOID, TIMESTAMPTZOID);

Datum array_of(Datum *elements, int count, Oid type, int length, char alignment) {
  return PointerGetDatum(construct_array(elements, count, type, length, false, alignment));
}

/// Writes these events' deliveries, and returns how many there were.
int64 write_events(const pg::Store &store, const PendingEvent *events, int count) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  auto *columns = static_cast<Datum *>(palloc(4 * sizeof(Datum) * Size(count)));
  Datum *tenants = columns, *ids = tenants + count, *types = ids + count, *payloads = types + count;
  for (int i = 0; i < count; ++i) {
    tenants[i] = UUIDPGetDatum(&events[i].tenant);
    ids[i] = UUIDPGetDatum(&events[i].id);
    types[i] = CStringGetTextDatum(events[i].type);
    payloads[i] = JsonbPGetDatum(events[i].payload);
  }
  Datum arguments[] = {array_of(tenants, count, UUIDOID, UUID_LEN, TYPALIGN_CHAR),
                       array_of(ids, count, UUIDOID, UUID_LEN, TYPALIGN_CHAR),
                       array_of(types, count, TEXTOID, -1, TYPALIGN_INT),
                       array_of(payloads, count, JSONBOID, -1, TYPALIGN_INT),
                       TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
  write_deliveries.run(store, arguments);
  int64 written = int64(SPI_processed);
  pg::end_owner_session(session);
  return written;
}

Outbox &open_outbox(const pg::Store &store) {
  if (outbox != nullptr)
    return *outbox;
  MemoryContext context =
      AllocSetContextCreate(TopTransactionContext, "brainsait webhooks", ALLOCSET_DEFAULT_SIZES);
  auto *made = static_cast<Outbox *>(MemoryContextAllocZero(context, sizeof(Outbox)));
  made->context = context;
  made->schema = store.schema;
  outbox = made;
  return *made;
}

/// Writes the events from `first` on, and forgets them.
void flush_events(const pg::Store &store, int first) {
  CHECK_FOR_INTERRUPTS();
  Outbox &box = *outbox;
  int count = box.count - first;
  box.written |= write_events(store, box.events + first, count) > 0;
  for (int i = first; i < box.count; ++i) {
    box.bytes -= VARSIZE(box.events[i].payload);
    pfree(box.events[i].payload);
  }
  box.count = first;
}

/// Events of outer levels stay: if they were written here, a savepoint rolled back would take them.
void flush_level(const pg::Store &store, int level) {
  int first = outbox->count;
  while (first > 0 && outbox->events[first - 1].level >= level)
    --first;
  if (first < outbox->count)
    flush_events(store, first);
}

void make_room(Outbox &box) {
  if (box.count < box.capacity)
    return;
  int capacity = box.capacity == 0 ? 16 : 2 * box.capacity;
  Size size = sizeof(PendingEvent) * Size(capacity);
  box.events = static_cast<PendingEvent *>(
      box.events == nullptr ? MemoryContextAlloc(box.context, size) : repalloc(box.events, size));
  box.capacity = capacity;
}

/// A transaction may drop the store after it wrote to it; then there is nothing left to tell of.
bool store_is_gone(Oid schema) {
  return !OidIsValid(get_relname_relid("tenants", schema)) ||
         !OidIsValid(get_relname_relid("webhooks", schema)) ||
         !OidIsValid(get_relname_relid("webhook_deliveries", schema));
}

void flush_at_end(bool is_prepared) {
  // Triggers of an application's on the outbox may bring further events.
  while (outbox->count > 0 && !store_is_gone(outbox->schema))
    flush_events(pg::store_in_schema(outbox->schema), 0);
  // A transaction that is prepared may not notify; its deliveries are found without.
  if (outbox->written && notifies && !is_prepared)
    Async_Notify(channel, "");
  outbox->written = false;
}

void on_transaction_event(XactEvent event, void *) {
  if (outbox == nullptr)
    return;
  switch (event) {
  case XACT_EVENT_PRE_COMMIT:
  case XACT_EVENT_PRE_PREPARE:
    flush_at_end(event == XACT_EVENT_PRE_PREPARE);
    break;
  case XACT_EVENT_COMMIT:
  case XACT_EVENT_ABORT:
  case XACT_EVENT_PREPARE:
    outbox = nullptr;
    break;
  default: // a parallel worker's: rows are changed in the leader only
    break;
  }
}

void on_subtransaction_event(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (outbox == nullptr)
    return;
  int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB) {
    while (outbox->count > 0 && outbox->events[outbox->count - 1].level >= level) {
      PendingEvent &dropped = outbox->events[--outbox->count];
      outbox->bytes -= VARSIZE(dropped.payload);
      pfree(dropped.payload);
    }
  } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (int i = outbox->count; i > 0 && outbox->events[i - 1].level >= level; --i)
      outbox->events[i - 1].level = level - 1;
  }
}

} // namespace

void note_webhook_event(const pg::Store &store, core::WebhookEvent event, const pg_uuid_t &tenant,
                        Relation relation, TupleTableSlot *row,
                        std::span<const char *const> names) {
  Outbox &box = open_outbox(store);
  make_room(box);
  PendingEvent &noted = box.events[box.count];
  noted = {GetCurrentTransactionNestLevel(), new_uuid_v7(), tenant,
           core::webhook_event_name(event).data(), nullptr};
  WebhookEnvelope envelope = {&noted.id, &noted.tenant, noted.type,
                              GetCurrentTransactionStartTimestamp()};
  Jsonb *payload = webhook_row_payload(envelope, relation, row, names);
  noted.payload = static_cast<Jsonb *>(MemoryContextAlloc(box.context, VARSIZE(payload)));
  std::memcpy(noted.payload, payload, VARSIZE(payload));
  box.bytes += VARSIZE(payload);
  if (++box.count >= most_pending_events || box.bytes >= most_pending_bytes)
    flush_level(store, noted.level);
}

void init_webhook_outbox() {
  DefineCustomBoolVariable(
      "brainsait.webhook_notify",
      "Notifies brainsait_webhooks when a transaction has written webhook deliveries.",
      "Transactions that notify commit one after the other, in all databases of the server. Turned "
      "off, workers find deliveries by asking from time to time.",
      &notifies, true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  RegisterXactCallback(on_transaction_event, nullptr);
  RegisterSubXactCallback(on_subtransaction_event, nullptr);
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_emit_event);

/// emit_event(text, jsonb): an event of the application's own about a JSON object, for the current
/// tenant. Returns the number of deliveries. Errors: 22023 null arguments, a type that is
/// none or a value that is no object, 55000 no tenant.
Datum brainsait_emit_event(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  pg::require_argument(fcinfo, 0, "event_type");
  pg::require_argument(fcinfo, 1, "object");
  text *type = PG_GETARG_TEXT_PP(0);
  if (!core::is_webhook_event_type({VARDATA_ANY(type), std::size_t(VARSIZE_ANY_EXHDR(type))}))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this is no type of event"),
                    errhint("Use words of letters, digits, \"_\" and \"-\", joined by dots, like "
                            "invoice.sent; at most 100 characters.")));
  Jsonb *object = PG_GETARG_JSONB_P(1);
  if (!JB_ROOT_IS_OBJECT(object))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("an event is about a JSON object")));
  const pg_uuid_t *tenant = current_tenant();
  if (tenant == nullptr)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this transaction has no tenant to emit an event for"),
                    errhint("Call set_tenant() first, in the same transaction.")));
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  if (!webhook_subscriptions(store, *tenant).any)
    PG_RETURN_INT32(0);
  PendingEvent event = {0, new_uuid_v7(), *tenant, text_to_cstring(type), nullptr};
  event.payload = webhook_object_payload(
      {&event.id, &event.tenant, event.type, GetCurrentTransactionStartTimestamp()}, object);
  int64 written = write_events(store, &event, 1);
  if (written > 0)
    open_outbox(store).written = true;
  PG_RETURN_INT32(int32(written));
}
}
