// The queue of the revenue rollup: rows of revenue_deltas that transactions append where they would
// have to wait for a row of revenue_metrics.

#include "revenue_queue.hpp"

#include "pg/guard.hpp"
#include "pg/query.hpp"
#include "revenue_direct.hpp"
#include "revenue_pending.hpp"
#include "revenue_rows.hpp"

extern "C" {
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "utils/array.h"
#include "utils/date.h"
}

namespace brainsait {
namespace {

/// How many deltas one statement appends.
constexpr std::size_t batch = 10'000;

pg::StoreQuery append_one(
    "INSERT INTO @store@.revenue_deltas (written_by, tenant_id, date, currency, customer,"
    " customer_orders, total_revenue, order_count, paid_revenue, paid_order_count,"
    " refunded_amount) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    INT8OID, UUIDOID, DATEOID, TEXTOID, UUIDOID, INT4OID, NUMERICOID, INT4OID, NUMERICOID, INT4OID,
    NUMERICOID);

pg::StoreQuery append_many(
    "INSERT INTO @store@.revenue_deltas (written_by, tenant_id, date, currency, customer,"
    " customer_orders, total_revenue, order_count, paid_revenue, paid_order_count,"
    " refunded_amount) "
    "SELECT $1, d.* FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3),"
    " pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
    " pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10),"
    " pg_catalog.unnest($11)) AS d",
    INT8OID, UUIDARRAYOID, DATEARRAYOID, TEXTARRAYOID, UUIDARRAYOID, INT4ARRAYOID, NUMERICARRAYOID,
    INT4ARRAYOID, NUMERICARRAYOID, INT4ARRAYOID, NUMERICARRAYOID);

pg::StoreQuery
    remove_own("DELETE FROM @store@.revenue_deltas WHERE written_by OPERATOR(pg_catalog.=) $1",
               INT8OID);

// Deltas are added up here, so that a bucket's row comes once for each of its customers.
pg::StoreQuery take_deltas(
    "WITH taken AS ("
    "  DELETE FROM @store@.revenue_deltas d"
    "  WHERE d.written_by OPERATOR(pg_catalog.>=) " BRAINSAIT_FOLDED_BEFORE
    "    AND ROW(d.written_by, d.id) OPERATOR(pg_catalog.<=) ROW($3, $4)"
    "    AND (d.tenant_id, d.date, d.currency::pg_catalog.text) OPERATOR(pg_catalog.=) ANY"
    "        (SELECT * FROM ROWS FROM (pg_catalog.unnest($5), pg_catalog.unnest($6),"
    "                                  pg_catalog.unnest($7)) AS b)"
    "  RETURNING d.*) "
    "SELECT tenant_id, date, currency::pg_catalog.text, customer,"
    "  pg_catalog.sum(customer_orders)::pg_catalog.int4, pg_catalog.sum(total_revenue),"
    "  pg_catalog.sum(order_count), pg_catalog.sum(paid_revenue),"
    "  pg_catalog.sum(paid_order_count), pg_catalog.sum(refunded_amount), pg_catalog.count(*) "
    "FROM taken GROUP BY 1, 2, 3, 4",
    INT8OID, INT8OID, INT8OID, INT8OID, UUIDARRAYOID, DATEARRAYOID, TEXTARRAYOID);

/// Columns of rows to append, one array each.
class DeltaRows {
public:
  /// `expected` is the number of rows that are going to be added.
  explicit DeltaRows(std::size_t expected)
      : capacity_(std::min(expected, batch)), tenants_(column()), days_(column()),
        currencies_(column()), customers_(column()), customer_orders_(column()), totals_(column()),
        orders_(column()), paid_(column()), paid_orders_(column()), refunded_(column()),
        no_customer_(palloc_many<bool>(capacity_)), nothing_(numeric_of(0)) {}

  /// Appends a row; `delta` nullptr stands for zero sums, `customer` nullptr for none.
  void add(const pg::Store &store, Datum tenant, Datum day, Datum currency,
           const CustomerDelta *customer, const core::BucketDelta *delta) {
    if (count_ == capacity_)
      flush(store);
    tenants_[count_] = tenant;
    days_[count_] = day;
    currencies_[count_] = currency;
    no_customer_[count_] = customer == nullptr;
    customers_[count_] =
        customer == nullptr ? Datum(0) : PointerGetDatum(customer->customer.data());
    customer_orders_[count_] = Int32GetDatum(customer == nullptr ? 0 : customer->orders);
    totals_[count_] = delta == nullptr ? nothing_ : numeric_of(delta->total);
    orders_[count_] = delta == nullptr ? Int32GetDatum(0) : count_of(delta->orders);
    paid_[count_] = delta == nullptr ? nothing_ : numeric_of(delta->paid);
    paid_orders_[count_] = delta == nullptr ? Int32GetDatum(0) : count_of(delta->paid_orders);
    refunded_[count_] = delta == nullptr ? nothing_ : numeric_of(delta->refunded);
    ++count_;
  }

  void flush(const pg::Store &store) {
    CHECK_FOR_INTERRUPTS();
    Datum written_by = Int64GetDatum(own_transaction());
    if (count_ == 1) {
      Datum values[] = {written_by,    tenants_[0],         days_[0],    currencies_[0],
                        customers_[0], customer_orders_[0], totals_[0],  orders_[0],
                        paid_[0],      paid_orders_[0],     refunded_[0]};
      static constexpr char has_customer[] = "           ";
      static constexpr char has_none[] = "    n      ";
      append_one.run(store, values, no_customer_[0] ? has_none : has_customer);
    } else if (count_ > 1) {
      int sizes[] = {int(count_)}, firsts[] = {1};
      Datum customers = PointerGetDatum(construct_md_array(
          customers_, no_customer_, 1, sizes, firsts, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
      Datum values[] = {written_by,
                        uuids(tenants_),
                        array_of(days_, DATEOID, sizeof(DateADT), true, TYPALIGN_INT),
                        array_of(currencies_, TEXTOID, -1, false, TYPALIGN_INT),
                        customers,
                        integers(customer_orders_),
                        numerics(totals_),
                        integers(orders_),
                        numerics(paid_),
                        integers(paid_orders_),
                        numerics(refunded_)};
      append_many.run(store, values);
      for (std::size_t i = 1; i < std::size(values); ++i)
        pfree(DatumGetPointer(values[i]));
    }
    count_ = 0;
  }

private:
  Datum *column() const { return palloc_many<Datum>(capacity_); }

  Datum array_of(Datum *elements, Oid type, int length, bool by_value, char alignment) const {
    return PointerGetDatum(
        construct_array(elements, int(count_), type, length, by_value, alignment));
  }
  Datum uuids(Datum *elements) const {
    return array_of(elements, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
  }
  Datum integers(Datum *elements) const {
    return array_of(elements, INT4OID, sizeof(int32), true, TYPALIGN_INT);
  }
  Datum numerics(Datum *elements) const {
    return array_of(elements, NUMERICOID, -1, false, TYPALIGN_INT);
  }

  std::size_t capacity_;
  Datum *tenants_, *days_, *currencies_, *customers_, *customer_orders_, *totals_, *orders_, *paid_,
      *paid_orders_, *refunded_;
  bool *no_customer_;
  Datum nothing_;
  std::size_t count_ = 0;
};
static_assert(std::is_trivially_destructible_v<DeltaRows>);

} // namespace

void append_revenue(const pg::Store &store, const core::RevenueChanges &changes,
                    const BucketList &list, const KeyedIndex *first, const KeyedIndex *last) {
  if (first == last)
    return;
  std::size_t row_count = 0;
  for (const KeyedIndex *key = first; key != last; ++key)
    row_count += std::max(customers_of(list, key->index).size(), std::size_t(1));
  if (row_count == 1) {
    const auto &entry = changes.buckets[first->index];
    BucketArguments bucket(entry.key);
    auto customers = customers_of(list, first->index);
    DeltaRow row = {bucket.tenant, bucket.date, bucket.currency,
                    customers.empty() ? nullptr : &customers[0], entry.value};
    if (append_directly(store, row))
      return;
  }
  DeltaRows rows(row_count);
  for (const KeyedIndex *key = first; key != last; ++key) {
    const auto &entry = changes.buckets[key->index];
    BucketArguments bucket(entry.key);
    auto customers = customers_of(list, key->index);
    rows.add(store, bucket.tenant, bucket.date, bucket.currency,
             customers.empty() ? nullptr : &customers[0], &entry.value);
    for (std::size_t i = 1; i < customers.size(); ++i)
      rows.add(store, bucket.tenant, bucket.date, bucket.currency, &customers[i], nullptr);
  }
  rows.flush(store);
}

void append_early(const pg::Store &store, core::RevenueChanges &changes) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  BucketList list = changed_buckets(changes);
  append_revenue(store, changes, list, list.keys, list.keys + list.count);
  pg::end_owner_session(session);
  changes.mark_appended();
}

void forget_appended(const pg::Store &store) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  Datum writer = Int64GetDatum(own_transaction());
  remove_own.run_by_index(store, &writer);
  pg::end_owner_session(session);
}

int64 own_transaction() { return int64(U64FromFullTransactionId(GetTopFullTransactionId())); }

int64 take_revenue_deltas(const pg::Store &store, std::span<const core::RevenueBucket> buckets,
                          const DeltaPlace &last, core::RevenueChanges &changes) {
  std::size_t count = buckets.size();
  Datum *tenants = palloc_many<Datum>(count);
  Datum *days = palloc_many<Datum>(count);
  Datum *currencies = palloc_many<Datum>(count);
  for (std::size_t i = 0; i < count; ++i) {
    BucketArguments bucket(buckets[i]);
    tenants[i] = bucket.tenant;
    days[i] = bucket.date;
    currencies[i] = bucket.currency;
  }
  auto [cluster, next] = bound_arguments();
  Datum arguments[] = {
      cluster,
      next,
      Int64GetDatum(last.written_by),
      Int64GetDatum(last.id),
      PointerGetDatum(
          construct_array(tenants, int(count), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
      PointerGetDatum(
          construct_array(days, int(count), DATEOID, sizeof(DateADT), true, TYPALIGN_INT)),
      PointerGetDatum(construct_array(currencies, int(count), TEXTOID, -1, false, TYPALIGN_INT))};
  take_deltas.run_by_index(store, arguments);

  int64 taken = 0;
  for (uint64 row = 0; row < SPI_processed; ++row) {
    bool is_null, no_customer;
    core::RevenueBucket bucket = {};
    bucket.tenant = to_core(*DatumGetUUIDP(pg::result_datum(row, 1, is_null)));
    bucket.day = DatumGetDateADT(pg::result_datum(row, 2, is_null));
    strlcpy(bucket.currency.data(), TextDatumGetCString(pg::result_datum(row, 3, is_null)),
            bucket.currency.size());
    Datum customer_id = pg::result_datum(row, 4, no_customer);
    core::Uuid customer = no_customer ? core::Uuid{} : to_core(*DatumGetUUIDP(customer_id));
    int32 customer_orders = DatumGetInt32(pg::result_datum(row, 5, is_null));
    core::BucketDelta delta = {
        .total = hundredths(pg::result_datum(row, 6, is_null)),
        .paid = hundredths(pg::result_datum(row, 8, is_null)),
        .refunded = hundredths(pg::result_datum(row, 10, is_null)),
        .orders = DatumGetInt64(pg::result_datum(row, 7, is_null)),
        .paid_orders = DatumGetInt64(pg::result_datum(row, 9, is_null)),
    };
    taken += DatumGetInt64(pg::result_datum(row, 11, is_null));
    pg::run_guarded([&] {
      changes.add_delta(bucket, delta);
      if (customer_orders != 0)
        changes.add_customer(bucket, customer, customer_orders);
    });
  }
  SPI_freetuptable(SPI_tuptable);
  return taken;
}

std::array<Datum, 2> bound_arguments() {
  return {Int64GetDatum(int64(GetSystemIdentifier())),
          Int64GetDatum(int64(U64FromFullTransactionId(ReadNextFullTransactionId())))};
}

int64 widen_transaction_id(TransactionId id) {
  FullTransactionId next = ReadNextFullTransactionId();
  uint32 epoch = EpochFromFullTransactionId(next);
  if (id > XidFromFullTransactionId(next))
    --epoch;
  return int64(U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, id)));
}

} // namespace brainsait
