// {SEQ}: gapless counters. A transaction holds the lock on each counter it uses, so what it knows
// of the row's value stays true until it ends, and the row is written twice at most.

#include "order_number_counters.hpp"

#include "pg/key_lock.hpp"
#include "pg/query.hpp"

extern "C" {
#include "common/hashfn.h"
#include "utils/hsearch.h"
}

namespace brainsait {

struct Counter {
  SeriesKey key;   // the hash key: stays first
  bool used;       ///< `value` and `written` count, and the lock is held
  int saved_level; ///< the innermost subtransaction that has saved this counter's state
  int64 value;     ///< the last number given
  int64 written;   ///< the row's last_value
};

namespace {

/// A counter as it was before a subtransaction used it.
struct SavedState {
  SavedState *older;
  Counter *counter;
  Counter state;
  int level; ///< the subtransaction's nesting level
};

/// All in TopTransactionContext: forgotten, never freed one by one.
struct TransactionCounters {
  HTAB *table = nullptr;
  SavedState *saved = nullptr; ///< newest first, so levels never rise along the list
  Oid schema = InvalidOid;
  bool write_through = false; ///< the last write before the end is done: every use writes
};

TransactionCounters counters;

pg::StoreQuery count_row_on(
    "INSERT INTO @store@.order_number_counters AS counter (tenant_id, series, period, last_value) "
    "VALUES ($1, $2, $3, 1) ON CONFLICT (tenant_id, series, period) "
    "DO UPDATE SET last_value = counter.last_value OPERATOR(pg_catalog.+) 1 RETURNING last_value",
    UUIDOID, TEXTOID, TEXTOID);

pg::StoreQuery
    write_row("UPDATE @store@.order_number_counters SET last_value = $4 "
              "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND series OPERATOR(pg_catalog.=) $2 "
              "AND period OPERATOR(pg_catalog.=) $3",
              UUIDOID, TEXTOID, TEXTOID, INT8OID);

uint64 hash_of(const SeriesKey &key) {
  uint64 hash = hash_bytes_extended(key.tenant.data, UUID_LEN, 0);
  hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(key.period),
                             int(std::strlen(key.period)), hash);
  return hash_bytes_extended(reinterpret_cast<const unsigned char *>(key.series),
                             int(std::strlen(key.series)), hash);
}

uint32 hash_entry(const void *key, Size) {
  return uint32(hash_of(*static_cast<const SeriesKey *>(key)));
}

int compare_entries(const void *left_key, const void *right_key, Size) {
  const auto &left = *static_cast<const SeriesKey *>(left_key);
  const auto &right = *static_cast<const SeriesKey *>(right_key);
  bool equal = std::memcmp(&left.tenant, &right.tenant, sizeof left.tenant) == 0 &&
               std::strcmp(left.period, right.period) == 0 &&
               std::strcmp(left.series, right.series) == 0;
  return equal ? 0 : 1;
}

HTAB *counter_table() {
  if (counters.table == nullptr) {
    HASHCTL control = {};
    control.keysize = sizeof(SeriesKey);
    control.entrysize = sizeof(Counter);
    control.hash = hash_entry;
    control.match = compare_entries;
    control.hcxt = TopTransactionContext;
    counters.table = hash_create("brainsait order number counters", 16, &control,
                                 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
  }
  return counters.table;
}

Counter &find_counter(const SeriesKey &key) {
  HTAB *table = counter_table();
  if (void *found = hash_search(table, &key, HASH_FIND, nullptr))
    return *static_cast<Counter *>(found);
  SeriesKey kept = key;
  kept.series = MemoryContextStrdup(TopTransactionContext, key.series);
  auto *counter = static_cast<Counter *>(hash_search(table, &kept, HASH_ENTER, nullptr));
  counter->used = false;
  counter->saved_level = 1;
  counter->value = counter->written = 0;
  return *counter;
}

/// Called before each change: what a subtransaction finds is what its rollback brings back.
void save_state(Counter &counter) {
  int level = GetCurrentTransactionNestLevel();
  if (counter.saved_level >= level)
    return;
  auto *saved =
      static_cast<SavedState *>(MemoryContextAlloc(TopTransactionContext, sizeof(SavedState)));
  *saved = {counters.saved, &counter, counter, level};
  counters.saved = saved;
  counter.saved_level = level;
}

void write_value(const pg::Store &store, Counter &counter) {
  Datum arguments[] = {UUIDPGetDatum(&counter.key.tenant), CStringGetTextDatum(counter.key.series),
                       CStringGetTextDatum(counter.key.period), Int64GetDatum(counter.value)};
  // No row where the tenant was deleted in the meantime: then there is nothing to keep.
  write_row.run(store, arguments);
  counter.written = counter.value;
}

/// Waits for the counter's lock, then counts its row on. The snapshot is taken after the lock, so
/// that what the last holder wrote is seen under every isolation level.
void begin_counting(const pg::Store &store, Counter &counter) {
  pg::lock_key(pg::LockClass::order_number_series, hash_of(counter.key));
  pg::OwnerSession session = pg::begin_owner_session(store);
  Datum arguments[] = {UUIDPGetDatum(&counter.key.tenant), CStringGetTextDatum(counter.key.series),
                       CStringGetTextDatum(counter.key.period)};
  count_row_on.run(store, arguments);
  counter.value = counter.written = DatumGetInt64(pg::result_scalar());
  pg::end_owner_session(session);
  counter.used = true;
}

void write_now(const pg::Store &store, Counter &counter) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  write_value(store, counter);
  pg::end_owner_session(session);
}

void write_all() {
  counters.write_through = true;
  // A transaction may drop the store after it used it; then there is nothing left to keep.
  if (counters.table == nullptr ||
      !OidIsValid(get_relname_relid("order_number_counters", counters.schema)) ||
      !OidIsValid(get_relname_relid("tenants", counters.schema)))
    return;
  const pg::Store store = pg::store_in_schema(counters.schema);
  // The numbers were given when that was allowed, whatever SET TRANSACTION READ ONLY said since. An
  // error ends the transaction, and the next one begins with a value of its own.
  bool read_only = XactReadOnly;
  XactReadOnly = false;
  HASH_SEQ_STATUS position;
  hash_seq_init(&position, counters.table);
  while (void *found = hash_seq_search(&position)) {
    auto &counter = *static_cast<Counter *>(found);
    if (counter.used && counter.value != counter.written)
      write_now(store, counter);
  }
  XactReadOnly = read_only;
}

void on_transaction_event(XactEvent event, void *) {
  switch (event) {
  case XACT_EVENT_PRE_COMMIT:
  case XACT_EVENT_PRE_PREPARE:
    write_all();
    break;
  case XACT_EVENT_COMMIT:
  case XACT_EVENT_ABORT:
  case XACT_EVENT_PREPARE:
    counters = {};
    break;
  default:
    break;
  }
}

void undo_level(int level) {
  while (counters.saved != nullptr && counters.saved->level >= level) {
    SavedState *saved = counters.saved;
    *saved->counter = saved->state;
    counters.saved = saved->older;
    pfree(saved);
  }
}

/// What level `level` saved now serves the rollback of the level around it; the outermost has none.
void merge_level(int level) {
  SavedState **place = &counters.saved;
  while (*place != nullptr && (*place)->level >= level) {
    SavedState *saved = *place;
    saved->counter->saved_level = level - 1;
    saved->level = level - 1;
    if (level - 1 > 1) {
      place = &saved->older;
    } else {
      *place = saved->older;
      pfree(saved);
    }
  }
}

void on_subtransaction_event(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (event == SUBXACT_EVENT_ABORT_SUB)
    undo_level(GetCurrentTransactionNestLevel());
  else if (event == SUBXACT_EVENT_COMMIT_SUB)
    merge_level(GetCurrentTransactionNestLevel());
}

} // namespace

Counter &count_on(const pg::Store &store, const SeriesKey &key) {
  Counter &counter = find_counter(key);
  counters.schema = store.schema;
  save_state(counter);
  if (!counter.used)
    begin_counting(store, counter);
  else
    advance_counter(store, counter, int64(uint64(counter.value) + 1));
  return counter;
}

int64 counter_value(const Counter &counter) { return counter.value; }

void advance_counter(const pg::Store &store, Counter &counter, int64 value) {
  if (value <= counter.value)
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("the tenant's order numbers are used up")));
  save_state(counter);
  counter.value = value;
  if (counters.write_through)
    write_now(store, counter);
}

void init_order_number_counters() {
  RegisterXactCallback(on_transaction_event, nullptr);
  RegisterSubXactCallback(on_subtransaction_event, nullptr);
}

} // namespace brainsait
