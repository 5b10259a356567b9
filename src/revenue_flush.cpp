// The flush: what a transaction changed in the revenue rollup is written just before it commits or
// is prepared.
//
// A bucket's row can be written once per commit that goes to disk, so a flush does not wait for
// one: where the row is free it is written, else the change is appended to revenue_deltas, which
// nobody waits for. So it is under REPEATABLE READ and above, and where one transaction changes
// very many buckets. With brainsait.rollup_wait, flushes wait instead, and what is pending for
// their buckets is written with them.
//
// Locks are taken in one order by every flush, so that flushes never deadlock among themselves:
//   1. orders and payments (ACCESS SHARE), where orders have to be read: a TRUNCATE of them, which
//   writes the rollup at its own end, is waited for before anything of the rollup is held;
//   2. the time zones of the tenants concerned: shared, or exclusively where a change of the zone
//   has the days computed anew. What locks revenue_metrics earlier in a transaction, a fold or a
//   rebuild by hand, has locked all zones before (lock_all_zones);
//   3. revenue_metrics: ROW EXCLUSIVE, or SHARE ROW EXCLUSIVE, which excludes every other writer of
//   rows there, where days are rebuilt, everything is cleared, or so many keys are concerned that
//   the shared lock table should not hold them one by one;
//   4. the keys of orders whose refunds move, in the order of their hashes;
//   5. the keys of buckets, likewise, where they are waited for.
// Keys are held until the transaction has ended, and every query takes its snapshot after them
// (StoreQuery::run). So each transaction finds the rollup, and what it reads of orders and
// payments, as the last one left it, under REPEATABLE READ and SERIALIZABLE too, and nobody gets
// 40001 for it.
//
// Why refunds stay with their order while one transaction moves the order and another refunds it:
// both lock the order's key. Whoever comes first finds the other's change invisible, as it should
// be, and commits; the second one's snapshot sees it, and settle_order() tells from what it sees
// and from its own changes what the first one had counted, and where.

#include "pg/key_lock.hpp"
#include "pg/query.hpp"
#include "revenue_fold.hpp"
#include "revenue_pending.hpp"
#include "revenue_queue.hpp"
#include "revenue_rows.hpp"
#include "revenue_worker.hpp"
#include "revenue_write.hpp"

extern "C" {
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/date.h"
}

#include <algorithm>

namespace brainsait {
namespace {

using core::OrderChange;
using core::Origin;
using core::RevenueBucket;
using core::RevenueChanges;

/// What a transaction may lock by key: a share of the lock table (max_locks_per_transaction is 64
/// by default) that leaves the others theirs.
constexpr std::size_t most_keys = 64;

/// How many orders one query reads.
constexpr std::size_t batch = 500;

/// Triggers of the application on the rollup may change orders again; a pair that never rests is an
/// error, not a loop.
constexpr int most_passes = 100;

pg::StoreQuery
    living_tenants("SELECT id FROM @store@.tenants WHERE id OPERATOR(pg_catalog.=) ANY ($1)",
                   UUIDARRAYOID);

pg::StoreQuery remove_tenants(
    "WITH deltas AS (DELETE FROM @store@.revenue_deltas"
    "                WHERE tenant_id OPERATOR(pg_catalog.=) ANY ($1)) "
    "DELETE FROM @store@.revenue_customers WHERE tenant_id OPERATOR(pg_catalog.=) ANY ($1)",
    UUIDARRAYOID);

pg::StoreQuery read_orders(
    "SELECT asked.number, o.tenant_id, o.created_at, o.currency::pg_catalog.text, refunds.amount "
    "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY"
    "     AS asked (tenant_id, id, number) "
    "JOIN @store@.orders o ON o.tenant_id OPERATOR(pg_catalog.=) asked.tenant_id"
    "                     AND o.id OPERATOR(pg_catalog.=) asked.id "
    "LEFT JOIN LATERAL (SELECT pg_catalog.sum(p.refunded_amount) AS amount FROM @store@.payments p"
    "                   WHERE p.tenant_id OPERATOR(pg_catalog.=) o.tenant_id"
    "                     AND p.order_id OPERATOR(pg_catalog.=) o.id) refunds ON true",
    UUIDARRAYOID, UUIDARRAYOID);

pg::StoreQuery clear_metrics("DELETE FROM @store@.revenue_metrics");
pg::StoreQuery clear_customers("DELETE FROM @store@.revenue_customers");
// What this transaction appended before the TRUNCATE went with it.
pg::StoreQuery
    clear_deltas("DELETE FROM @store@.revenue_deltas WHERE written_by OPERATOR(pg_catalog.<>) $1",
                 INT8OID);
// Whoever changes refunds holds the lock on payments that TRUNCATE has waited for: none is still to
// come.
pg::StoreQuery clear_refunds(
    "WITH deltas AS (UPDATE @store@.revenue_deltas SET refunded_amount = 0"
    "                WHERE refunded_amount OPERATOR(pg_catalog.<>) 0) "
    "UPDATE @store@.revenue_metrics SET refunded_amount = 0, net_revenue = paid_revenue "
    "WHERE refunded_amount OPERATOR(pg_catalog.<>) 0");

ArrayType *uuid_array(Datum *elements, std::size_t count) {
  return construct_array(elements, int(count), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

/// One pass of the flush. Everything it allocates but `changes` is in the owner session's memory.
class Flush {
public:
  Flush(const pg::Store &store, RevenueTransaction &transaction, RevenueChanges &changes)
      : store_(store), transaction_(transaction), changes_(changes) {}

  void run() {
    find_deleted_tenants();
    choose_orders();
    exclusive_ = must_be_alone();
    bool writes = order_count_ > 0 || !changes_.buckets.empty() || changes_.appended ||
                  deleted_ids_ != nullptr || exclusive_;
    if (!writes && changes_.zones.empty())
      return;
    if (order_count_ > 0 || must_rebuild()) {
      LockRelationOid(store_table(store_, "orders"), AccessShareLock);
      LockRelationOid(store_table(store_, "payments"), AccessShareLock);
    }
    lock_zones();
    require_unchanged_zones();
    if (!writes)
      return;
    lock_rollup();
    if (changes_.cleared_all) {
      clear_metrics.run(store_, nullptr);
      clear_customers.run(store_, nullptr);
      Datum own = Int64GetDatum(own_transaction());
      clear_deltas.run(store_, &own);
    }
    if (changes_.cleared_refunds)
      clear_refunds.run(store_, nullptr);
    remove_deleted_tenants();
    settle_orders();
    write_buckets();
    rebuild();
  }

private:
  bool must_be_alone() const {
    if (changes_.cleared_all || changes_.cleared_refunds || must_rebuild())
      return true;
    // An order may add two buckets.
    std::size_t keys = 3 * order_count_;
    if (rollup_waits())
      return changes_.appended || keys + changes_.buckets.size() > most_keys;
    return keys > most_keys;
  }

  /// Takes the lock on revenue_metrics; without it, everything is appended.
  void lock_rollup() {
    Oid metrics = store_table(store_, "revenue_metrics");
    bool waits = order_count_ > 0 || deleted_ids_ != nullptr || rollup_waits();
    few_buckets_ = 3 * order_count_ + changes_.buckets.size() <= most_keys &&
                   (rollup_waits() || !IsolationUsesXactSnapshot());
    if (exclusive_)
      LockRelationOid(metrics, ShareRowExclusiveLock);
    else if (waits)
      LockRelationOid(metrics, RowExclusiveLock);
    else
      few_buckets_ = few_buckets_ && ConditionalLockRelationOid(metrics, RowExclusiveLock);
  }

  /// Whether the range is to be computed now: not where nothing changed since it was.
  bool is_due(const core::RebuildRange &range) const {
    return !range.done || transaction_.rows_changed;
  }
  bool must_rebuild() const {
    return std::any_of(changes_.rebuilds.begin(), changes_.rebuilds.end(),
                       [&](const auto &range) { return is_due(range); });
  }

  bool is_deleted(const core::Uuid &tenant) const {
    return std::find(changes_.deleted_tenants.begin(), changes_.deleted_tenants.end(), tenant) !=
           changes_.deleted_tenants.end();
  }

  bool is_rebuilt(const RevenueBucket &bucket) const {
    return std::any_of(changes_.rebuilds.begin(), changes_.rebuilds.end(), [&](const auto &range) {
      return range.tenant == bucket.tenant && range.from_day <= bucket.day &&
             bucket.day <= range.to_day;
    });
  }

  /// Nothing is added to the bucket: its tenant is gone, or it is computed anew.
  bool is_void(const RevenueBucket &bucket) const {
    return is_deleted(bucket.tenant) || is_rebuilt(bucket);
  }

  /// A tenant deleted and made again in this transaction: whatever was reported about it, its days
  /// are computed anew.
  void find_deleted_tenants() {
    std::size_t count = changes_.deleted_tenants.size();
    if (count == 0)
      return;
    Datum *ids = palloc_many<Datum>(count);
    for (std::size_t i = 0; i < count; ++i)
      ids[i] = PointerGetDatum(changes_.deleted_tenants[i].data());
    deleted_ids_ = uuid_array(ids, count);
    Datum argument = PointerGetDatum(deleted_ids_);
    living_tenants.run(store_, &argument);
    for (uint64 row = 0; row < SPI_processed; ++row) {
      bool is_null;
      core::Uuid tenant = to_core(*DatumGetUUIDP(pg::result_datum(row, 1, is_null)));
      pg::run_guarded([&] { changes_.rebuild({tenant, DATEVAL_NOBEGIN, DATEVAL_NOEND, false}); });
    }
  }

  // Rows of revenue_metrics went by foreign key; revenue_customers has none. Whoever else writes a
  // row there for such a tenant holds either a lock on an order of the tenant, which its deletion
  // has waited for, or the lock on revenue_metrics that we have waited for.
  void remove_deleted_tenants() {
    if (deleted_ids_ == nullptr)
      return;
    Datum argument = PointerGetDatum(deleted_ids_);
    remove_tenants.run(store_, &argument);
  }

  /// The orders to be settled: those that were moved or whose refunds changed, sorted by hash.
  void choose_orders() {
    if (changes_.orders.empty())
      return;
    orders_ = palloc_many<KeyedIndex>(changes_.orders.size());
    for (std::uint32_t i = 0; i < changes_.orders.size(); ++i) {
      const OrderChange &order = changes_.orders[i].value;
      bool matters = order.origin != Origin::present || order.refunded != 0;
      bool gone = is_deleted(order.tenant) &&
                  (order.origin != Origin::bucket || is_deleted(order.origin_bucket.tenant));
      if (matters && !gone)
        orders_[order_count_++] = {core::hash_of(changes_.orders[i].key), i};
    }
    std::sort(orders_, orders_ + order_count_);
  }

  // An order's day is computed when its trigger fires, by the tenant's time zone as known then. A
  // change of the zone takes the zone's key before it computes all days anew, and holds it until
  // others see its commit and hear of it. So where a transaction has got the key, the zone is
  // settled: either it is another one than the transaction's days were computed by, and it fails,
  // or they are right, and the next change waits for its end and sees its orders and deltas. Zones
  // that came and went in between do not matter: what was committed is counted by the settled one,
  // and so is what this transaction adds and takes away. An order that moved within its day has
  // nothing to write, but is asked about all the same.
  void lock_zones() {
    std::size_t most = changes_.zones.size() + 2 * order_count_;
    std::uint64_t *shared = palloc_many<std::uint64_t>(most);
    std::uint64_t *end = shared;
    bool changed = false; // here
    for (const core::RebuildRange &range : changes_.rebuilds)
      changed = changed || !range.done;
    for (const auto &entry : changes_.zones)
      *end++ = core::hash_of(entry.key);
    for (std::size_t i = 0; i < order_count_; ++i) {
      const OrderChange &order = changes_.orders[orders_[i].index].value;
      *end++ = core::hash_of(order.tenant);
      if (order.origin == Origin::bucket)
        *end++ = core::hash_of(order.origin_bucket.tenant);
    }
    std::sort(shared, end);
    end = std::unique(shared, end);
    bool many = std::size_t(end - shared) > most_keys;
    if (many || changed)
      pg::lock_key(pg::LockClass::revenue_zone, pg::every_key,
                   changed ? pg::LockStrength::exclusive : pg::LockStrength::shared);
    if (changed) {
      std::uint64_t *own = palloc_many<std::uint64_t>(changes_.rebuilds.size()), *own_end = own;
      for (const core::RebuildRange &range : changes_.rebuilds)
        if (!range.done)
          *own_end++ = core::hash_of(range.tenant);
      std::sort(own, own_end);
      for (std::uint64_t *key = own; key != own_end; ++key)
        pg::lock_key(pg::LockClass::revenue_zone, *key);
    }
    if (!many)
      for (std::uint64_t *key = shared; key != end; ++key)
        pg::lock_key(pg::LockClass::revenue_zone, *key, pg::LockStrength::shared);
    AcceptInvalidationMessages();
  }

  void require_unchanged_zones() {
    for (const auto &entry : changes_.zones) {
      RevenueBucket first = {entry.key, DATEVAL_NOBEGIN, {}};
      RevenueBucket last = {entry.key, DATEVAL_NOEND, {}};
      if (is_void(first) && is_void(last))
        continue;
      pg_uuid_t tenant = from_core(entry.key);
      if (entry.value.mixed || entry.value.zone != revenue_zone(store_, tenant))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the tenant's time zone changed while this transaction ran"),
                        errhint("The transaction might succeed if retried.")));
    }
  }

  void settle_orders() {
    if (!exclusive_)
      for (std::size_t i = 0; i < order_count_; ++i)
        pg::lock_key(pg::LockClass::revenue_order, orders_[i].hash);
    for (std::size_t first = 0; first < order_count_; first += batch)
      settle_batch(orders_ + first, std::min(batch, order_count_ - first));
  }

  void settle_batch(const KeyedIndex *chosen, std::size_t count) {
    CHECK_FOR_INTERRUPTS();
    struct Found {
      std::optional<RevenueBucket> present;
      std::int64_t refunds;
    };
    Found found[batch] = {};
    Datum tenants[batch], ids[batch];
    for (std::size_t i = 0; i < count; ++i) {
      tenants[i] = PointerGetDatum(changes_.orders[chosen[i].index].value.tenant.data());
      ids[i] = PointerGetDatum(changes_.orders[chosen[i].index].key.data());
    }
    Datum arguments[] = {PointerGetDatum(uuid_array(tenants, count)),
                         PointerGetDatum(uuid_array(ids, count))};
    read_orders.run(store_, arguments);
    for (uint64 row = 0; row < SPI_processed; ++row) {
      bool is_null, no_day, no_currency, no_refunds;
      Found &order = found[DatumGetInt64(pg::result_datum(row, 1, is_null)) - 1];
      pg_uuid_t tenant = *DatumGetUUIDP(pg::result_datum(row, 2, is_null));
      Datum created_at = pg::result_datum(row, 3, no_day);
      Datum currency = pg::result_datum(row, 4, no_currency);
      Datum refunds = pg::result_datum(row, 5, no_refunds);
      std::uintptr_t zone;
      if (!no_day)
        order.present = revenue_bucket(
            store_, tenant, DatumGetTimestampTz(created_at),
            no_currency ? std::string_view() : std::string_view(TextDatumGetCString(currency)),
            zone);
      order.refunds = no_refunds ? 0 : hundredths(refunds);
    }
    SPI_freetuptable(SPI_tuptable);
    pg::run_guarded([&] {
      for (std::size_t i = 0; i < count; ++i)
        changes_.settle_order(changes_.orders[chosen[i].index].value, found[i].present,
                              found[i].refunds);
    });
  }

  /// Buckets in the order of their locks, each with its customers in the order of the index: those
  /// that can be had are written, the others appended.
  void write_buckets() {
    BucketList buckets = changed_buckets(changes_);
    KeyedIndex *end =
        std::remove_if(buckets.keys, buckets.keys + buckets.count, [&](const KeyedIndex &key) {
          return is_void(changes_.buckets[key.index].key);
        });
    KeyedIndex *direct_end = end;
    if (!exclusive_)
      direct_end = std::partition(buckets.keys, end, [&](const KeyedIndex &key) {
        return few_buckets_ && lock_bucket(key.hash);
      });
    if (rollup_waits() || (direct_end != buckets.keys && writers_must_fold()))
      write_with_pending(buckets, direct_end);
    else
      for (KeyedIndex *key = buckets.keys; key != direct_end; ++key) {
        CHECK_FOR_INTERRUPTS();
        const auto &entry = changes_.buckets[key->index];
        write_bucket(store_, entry.key, entry.value, customers_of(buckets, key->index));
      }
    append_revenue(store_, changes_, buckets, direct_end, end);
    if (direct_end != end || (changes_.appended && !rollup_waits()))
      request_fold_worker(store_);
  }

  bool lock_bucket(std::uint64_t hash) const {
    if (!rollup_waits())
      return pg::try_lock_key(pg::LockClass::revenue_bucket, hash);
    pg::lock_key(pg::LockClass::revenue_bucket, hash);
    return true;
  }

  /// Writes the list's buckets up to `end`, and what is pending for them; under rollup_wait, what
  /// this transaction appended early too.
  void write_with_pending(const BucketList &list, const KeyedIndex *end) {
    RevenueChanges &sums = new_revenue_changes();
    for (const KeyedIndex *key = list.keys; key != end; ++key) {
      const auto &entry = changes_.buckets[key->index];
      auto customers = customers_of(list, key->index);
      pg::run_guarded([&] {
        sums.add_delta(entry.key, entry.value);
        for (const CustomerDelta &customer : customers)
          sums.add_customer(entry.key, customer.customer, customer.orders);
      });
    }
    fold_into(store_, sums, changes_.appended && rollup_waits());
  }

  void rebuild() {
    for (const core::RebuildRange &range : changes_.rebuilds)
      if (is_due(range))
        (void)rebuild_revenue_days(store_, from_core(range.tenant), range.from_day, range.to_day);
  }

  const pg::Store &store_;
  RevenueTransaction &transaction_;
  RevenueChanges &changes_;
  ArrayType *deleted_ids_ = nullptr; ///< deleted_tenants, nullptr where there are none
  KeyedIndex *orders_ = nullptr;
  std::size_t order_count_ = 0;
  bool exclusive_ = false;
  bool few_buckets_ = false; ///< buckets may be written one by one
};
static_assert(std::is_trivially_destructible_v<Flush>);

void flush_pass(const pg::Store &store, RevenueTransaction &transaction) {
  // Taken out and then forgotten, not destroyed: an error may leave this frame at any point.
  void *memory = MemoryContextAlloc(transaction.context, sizeof(RevenueChanges));
  RevenueChanges *changes = nullptr;
  pg::run_guarded([&] { changes = new (memory) RevenueChanges(transaction.pending->take()); });
  if (changes->empty())
    return;
  if (!changes->rebuilds.empty() || !changes->deleted_tenants.empty()) {
    // The last statement's own changes of tenants are to be seen: a backend hears of them when the
    // command counter moves, which only a used command id makes it do.
    (void)GetCurrentCommandId(true);
    CommandCounterIncrement();
  }
  pg::OwnerSession session = pg::begin_owner_session(store);
  Flush(store, transaction, *changes).run();
  pg::end_owner_session(session);
  // Deferred triggers that the application has on the rollup: past this point nobody else fires
  // them.
  AfterTriggerFireDeferred();
}

} // namespace

void flush_revenue(RevenueTransaction &transaction) {
  // The changes were allowed when they were made, whatever SET TRANSACTION READ ONLY said since.
  bool read_only = XactReadOnly;
  XactReadOnly = false;
  const pg::Store store = pg::store_in_schema(transaction.schema);
  for (int pass = 0; !transaction.pending->empty(); ++pass) {
    if (pass == most_passes)
      ereport(ERROR,
              (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
               errmsg("the revenue rollup did not come to rest after %d passes", most_passes),
               errhint("Triggers on revenue_metrics keep changing orders or payments.")));
    flush_pass(store, transaction);
  }
  request_fold_worker_once(store);
  XactReadOnly = read_only;
}

} // namespace brainsait
