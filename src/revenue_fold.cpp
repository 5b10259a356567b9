// Folding: what is pending in revenue_deltas goes into revenue_customers and revenue_metrics,
// oldest first, and revenue_fold_progress remembers how far.
//
// Deltas are read from the place where the last fold ended on, so that nobody walks again and again
// over those that are gone but which an old snapshot keeps vacuum from removing. That bound is the
// oldest transaction that may still append, or the oldest that has a delta pending: whatever was
// written by an older one is visible to a snapshot taken after the bound, and so has been folded.

#include "revenue_fold.hpp"

#include "pg/guard.hpp"
#include "pg/key_lock.hpp"
#include "pg/memory_resource.hpp"
#include "pg/query.hpp"
#include "pg/subscription.hpp"
#include "revenue_pending.hpp"
#include "revenue_queue.hpp"
#include "revenue_rows.hpp"

extern "C" {
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/date.h"
}

#include <algorithm>

namespace brainsait {
namespace {

/// How many deltas are folded at a time, and of how many buckets where those are locked one by one.
constexpr int most_deltas = 20'000;
constexpr std::size_t most_buckets = 64;

/// How long a fold that has others to serve waits for a bucket, and for all buckets of a slice,
/// milliseconds. A writer holds a bucket while it commits; a prepared transaction may hold it for
/// hours.
constexpr int patience_with_bucket = 250;
constexpr int patience_with_slice = 2000;

enum class Alone {
  in_table,        ///< SHARE ROW EXCLUSIVE on revenue_metrics is held
  in_buckets,      ///< each bucket's key is waited for
  in_free_buckets, ///< and buckets whose key does not come soon are left out
};

pg::StoreQuery read_bound("SELECT " BRAINSAIT_FOLDED_BEFORE, INT8OID, INT8OID);

pg::StoreQuery
    list_deltas("SELECT d.written_by, d.id, d.tenant_id, d.date, d.currency::pg_catalog.text "
                "FROM @store@.revenue_deltas d "
                "WHERE d.written_by OPERATOR(pg_catalog.>=) " BRAINSAIT_FOLDED_BEFORE
                "  AND ROW(d.written_by, d.id) OPERATOR(pg_catalog.>) ROW($3, $4) "
                "ORDER BY d.written_by, d.id LIMIT $5",
                INT8OID, INT8OID, INT8OID, INT8OID, INT4OID);

pg::StoreQuery
    list_own_buckets("SELECT DISTINCT d.tenant_id, d.date, d.currency::pg_catalog.text "
                     "FROM @store@.revenue_deltas d WHERE d.written_by OPERATOR(pg_catalog.=) $1",
                     INT8OID);

pg::StoreQuery
    count_buckets("SELECT pg_catalog.count(*)::pg_catalog.int4 FROM ("
                  "  SELECT DISTINCT d.tenant_id, d.date, d.currency FROM @store@.revenue_deltas d"
                  "  WHERE d.written_by OPERATOR(pg_catalog.>=) " BRAINSAIT_FOLDED_BEFORE
                  " LIMIT $3) AS b",
                  INT8OID, INT8OID, INT4OID);

// A tenant that is being deleted is left out: its row is locked, and its end deletes its deltas.
pg::StoreQuery lock_tenants("SELECT id FROM @store@.tenants "
                            "WHERE id OPERATOR(pg_catalog.=) ANY ($1) FOR KEY SHARE SKIP LOCKED",
                            UUIDARRAYOID);

pg::StoreQuery remove_orphans(
    "DELETE FROM @store@.revenue_deltas d WHERE d.tenant_id OPERATOR(pg_catalog.=) ANY ($1)"
    "  AND NOT EXISTS (SELECT FROM @store@.tenants t"
    "                  WHERE t.id OPERATOR(pg_catalog.=) d.tenant_id)",
    UUIDARRAYOID);

// Rows of other clusters came with a dump.
pg::StoreQuery set_bound(
    "WITH strange AS (DELETE FROM @store@.revenue_fold_progress"
    "                 WHERE system_identifier OPERATOR(pg_catalog.<>) $1) "
    "INSERT INTO @store@.revenue_fold_progress AS p (system_identifier, folded_before) "
    "SELECT $1, LEAST($3, (SELECT pg_catalog.min(d.written_by) FROM @store@.revenue_deltas d"
    "                      WHERE d.written_by OPERATOR(pg_catalog.>=) " BRAINSAIT_FOLDED_BEFORE
    ")) "
    "ON CONFLICT (system_identifier) DO UPDATE SET folded_before = excluded.folded_before"
    " WHERE p.folded_before OPERATOR(pg_catalog.<) excluded.folded_before"
    "    OR NOT (" BRAINSAIT_BOUND_HOLDS ")",
    INT8OID, INT8OID, INT8OID);

void move_bound(const pg::Store &store, int64 oldest_writer) {
  auto [cluster, next] = bound_arguments();
  Datum arguments[] = {cluster, next, Int64GetDatum(oldest_writer)};
  set_bound.run_by_index(store, arguments);
}

core::RevenueBucket bucket_of_row(uint64 row, int first_column) {
  bool is_null;
  core::RevenueBucket bucket = {};
  bucket.tenant = to_core(*DatumGetUUIDP(pg::result_datum(row, first_column, is_null)));
  bucket.day = DatumGetDateADT(pg::result_datum(row, first_column + 1, is_null));
  strlcpy(bucket.currency.data(),
          TextDatumGetCString(pg::result_datum(row, first_column + 2, is_null)),
          bucket.currency.size());
  return bucket;
}

void write_all(const pg::Store &store, const core::RevenueChanges &sums) {
  BucketList list = changed_buckets(sums);
  for (const KeyedIndex *key = list.keys; key != list.keys + list.count; ++key) {
    CHECK_FOR_INTERRUPTS();
    const auto &entry = sums.buckets[key->index];
    write_bucket(store, entry.key, entry.value, customers_of(list, key->index));
  }
}

struct Slice {
  int64 folded = 0;
  bool more = false; ///< there are deltas behind `last`
  DeltaPlace last = before_every_delta;
};

/// The oldest pending deltas after a place: their buckets, and where they end.
class SliceBuckets {
public:
  SliceBuckets(const pg::Store &store, const DeltaPlace &after, bool exclusive) : last(after) {
    auto [cluster, next] = bound_arguments();
    Datum arguments[] = {cluster, next, Int64GetDatum(after.written_by), Int64GetDatum(after.id),
                         Int32GetDatum(most_deltas)};
    list_deltas.run_by_index(store, arguments);
    more = SPI_processed == uint64(most_deltas);
    buckets = palloc_many<core::RevenueBucket>(SPI_processed);
    core::RevenueChanges &seen = new_revenue_changes();
    for (uint64 row = 0; row < SPI_processed; ++row) {
      core::RevenueBucket bucket = bucket_of_row(row, 3);
      if (seen.buckets.find(bucket) == seen.buckets.none) {
        if (count == most_buckets && !exclusive) {
          more = true;
          break;
        }
        pg::run_guarded([&] { seen.buckets.find_or_insert(bucket); });
        buckets[count++] = bucket;
      }
      bool is_null;
      last = {DatumGetInt64(pg::result_datum(row, 1, is_null)),
              DatumGetInt64(pg::result_datum(row, 2, is_null))};
    }
    SPI_freetuptable(SPI_tuptable);
  }

  /// Leaves out the buckets of tenants that are not there, or are being deleted. Returns how many
  /// deltas of tenants that are not there it deleted.
  int64 lock_tenants_of_buckets(const pg::Store &store) {
    Datum *ids = palloc_many<Datum>(count);
    for (std::size_t i = 0; i < count; ++i)
      ids[i] = PointerGetDatum(buckets[i].tenant.data());
    Datum asked =
        PointerGetDatum(construct_array(ids, int(count), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
    lock_tenants.run(store, &asked);
    std::size_t locked_count = SPI_processed;
    auto *locked = palloc_many<core::Uuid>(locked_count);
    for (std::size_t row = 0; row < locked_count; ++row) {
      bool is_null;
      locked[row] = to_core(*DatumGetUUIDP(pg::result_datum(row, 1, is_null)));
    }
    SPI_freetuptable(SPI_tuptable);
    std::sort(locked, locked + locked_count);
    auto *end = std::remove_if(buckets, buckets + count, [&](const core::RevenueBucket &bucket) {
      return !std::binary_search(locked, locked + locked_count, bucket.tenant);
    });
    bool all = end == buckets + count;
    count = end - buckets;
    if (all)
      return 0;
    remove_orphans.run(store, &asked);
    return int64(SPI_processed);
  }

  /// Locks the buckets' keys in the order of their hashes; where it `may_skip`, leaves out those
  /// that it does not get.
  void lock_buckets(bool may_skip) {
    auto *keys = palloc_many<KeyedIndex>(count);
    for (std::uint32_t i = 0; i < count; ++i)
      keys[i] = {core::hash_of(buckets[i]), i};
    std::sort(keys, keys + count);
    auto *locked = palloc_many<core::RevenueBucket>(count);
    std::size_t locked_count = 0;
    TimestampTz end = GetCurrentTimestamp() + patience_with_slice * INT64CONST(1000);
    for (std::size_t i = 0; i < count; ++i) {
      if (!may_skip)
        pg::lock_key(pg::LockClass::revenue_bucket, keys[i].hash);
      else if (GetCurrentTimestamp() >= end
                   ? !pg::try_lock_key(pg::LockClass::revenue_bucket, keys[i].hash)
                   : !pg::lock_key_within(pg::LockClass::revenue_bucket, keys[i].hash,
                                          patience_with_bucket))
        continue;
      locked[locked_count++] = buckets[keys[i].index];
    }
    buckets = locked;
    count = locked_count;
  }

  core::RevenueBucket *buckets = nullptr;
  std::size_t count = 0;
  bool more = false;
  DeltaPlace last;
};
static_assert(std::is_trivially_destructible_v<SliceBuckets>);

/// Folds the oldest deltas after a place. The caller holds a lock on revenue_metrics: SHARE ROW
/// EXCLUSIVE for Alone::in_table, else ROW EXCLUSIVE.
Slice fold_slice(const pg::Store &store, const DeltaPlace &after, Alone alone) {
  CHECK_FOR_INTERRUPTS();
  pg::OwnerSession session = pg::begin_owner_session(store);
  int64 oldest_writer = widen_transaction_id(GetLatestSnapshot()->xmin);
  SliceBuckets chosen(store, after, alone == Alone::in_table);
  Slice slice = {.folded = 0, .more = chosen.more, .last = chosen.last};
  if (chosen.count > 0)
    slice.folded = chosen.lock_tenants_of_buckets(store);
  if (chosen.count > 0 && alone != Alone::in_table)
    chosen.lock_buckets(alone == Alone::in_free_buckets);
  if (chosen.count > 0) {
    core::RevenueChanges &sums = new_revenue_changes();
    slice.folded += take_revenue_deltas(store, {chosen.buckets, chosen.count}, chosen.last, sums);
    write_all(store, sums);
  }
  // Another fold that is about to move the bound leaves it where it is as right as here.
  if (slice.folded > 0 && pg::try_lock_key(pg::LockClass::revenue_progress, pg::every_key))
    move_bound(store, oldest_writer);
  pg::end_owner_session(session);
  return slice;
}

} // namespace

void require_own_rollup(const pg::Store &store, const char *function) {
  PreventCommandIfReadOnly(function);
  if (pg::is_subscribed(store_table(store, "revenue_deltas")))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot execute %s: a subscription brings the revenue rollup", function),
                    errhint("Run it on the publisher; here, once the subscription is dropped.")));
}

core::RevenueChanges &new_revenue_changes() {
  void *resource = palloc(sizeof(pg::PallocResource));
  void *changes = palloc(sizeof(core::RevenueChanges));
  // Neither constructor allocates, nor can throw.
  return *new (changes)
      core::RevenueChanges(new (resource) pg::PallocResource(CurrentMemoryContext));
}

void fold_into(const pg::Store &store, core::RevenueChanges &sums, bool own) {
  if (own) {
    Datum writer = Int64GetDatum(own_transaction());
    list_own_buckets.run(store, &writer);
    for (uint64 row = 0; row < SPI_processed; ++row) {
      core::RevenueBucket bucket = bucket_of_row(row, 1);
      pg::run_guarded([&] { sums.buckets.find_or_insert(bucket); });
    }
    SPI_freetuptable(SPI_tuptable);
  }
  if (sums.buckets.empty())
    return;
  auto *buckets = palloc_many<core::RevenueBucket>(sums.buckets.size());
  std::size_t count = 0;
  for (const auto &entry : sums.buckets)
    buckets[count++] = entry.key;
  int64 oldest_writer = widen_transaction_id(GetLatestSnapshot()->xmin);
  int64 taken = take_revenue_deltas(store, {buckets, count}, after_every_delta, sums);
  write_all(store, sums);
  // Where nobody else folds, nobody else moves the bound.
  if (taken > 0 && pg::try_lock_key(pg::LockClass::revenue_progress, pg::every_key))
    move_bound(store, oldest_writer);
}

FoldedSlice fold_revenue_deltas(const pg::Store &store) {
  if (pg::is_subscribed(store_table(store, "revenue_deltas")))
    return {.folded = 0, .more = false};
  LockRelationOid(store_table(store, "revenue_metrics"), RowExclusiveLock);
  Slice slice;
  do
    slice = fold_slice(store, slice.last, Alone::in_free_buckets);
  while (slice.folded == 0 && slice.more);
  return {slice.folded, slice.more};
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_fold_revenue_deltas);
PG_FUNCTION_INFO_V1(brainsait_revenue_deltas_from);

/// fold_revenue_deltas() -> bigint: folds everything that is pending; how many deltas those were.
/// Errors: 25006 on a standby, 55000 where a subscription brings the deltas.
Datum brainsait_fold_revenue_deltas(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  require_own_rollup(store, "fold_revenue_deltas()");
  pg::OwnerSession session = pg::begin_owner_session(store);
  auto [cluster, next] = bound_arguments();
  Datum arguments[] = {cluster, next, Int32GetDatum(most_buckets + 1)};
  count_buckets.run_by_index(store, arguments);
  bool exclusive = DatumGetInt32(pg::result_scalar()) > int32(most_buckets);
  pg::end_owner_session(session);

  lock_all_zones();
  LockRelationOid(store_table(store, "revenue_metrics"),
                  exclusive ? ShareRowExclusiveLock : RowExclusiveLock);
  int64 folded = 0;
  Slice slice;
  do {
    slice = fold_slice(store, slice.last, exclusive ? Alone::in_table : Alone::in_buckets);
    folded += slice.folded;
  } while (slice.more);
  PG_RETURN_INT64(folded);
}

/// revenue_deltas_from() -> bigint: deltas that an older transaction wrote have been folded.
Datum brainsait_revenue_deltas_from(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  pg::OwnerSession session = pg::begin_owner_session(store);
  std::array<Datum, 2> arguments = bound_arguments();
  read_bound.read(store, arguments.data());
  int64 bound = DatumGetInt64(pg::result_scalar());
  pg::end_owner_session(session);
  PG_RETURN_INT64(bound);
}
}
