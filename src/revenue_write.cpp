// Writing one bucket of the revenue rollup: its customers' reference counts, then its row.

#include "revenue_write.hpp"

#include "pg/query.hpp"
#include "pg/time_zone.hpp"
#include "revenue_direct.hpp"
#include "revenue_rows.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

/// How many customers one query writes.
constexpr std::size_t batch = 10'000;

pg::StoreQuery add_customer(
    "INSERT INTO @store@.revenue_customers AS c (tenant_id, date, currency, customer, order_count) "
    "VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (tenant_id, date, currency, customer) DO UPDATE"
    " SET order_count = c.order_count OPERATOR(pg_catalog.+) excluded.order_count "
    "RETURNING order_count",
    UUIDOID, DATEOID, TEXTOID, UUIDOID, INT4OID);

// How many customers appear or disappear: those with orders now, less those with orders before.
pg::StoreQuery add_customers(
    "WITH delta AS MATERIALIZED ("
    "  SELECT * FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5)) AS d (customer, "
    "orders)"
    "), written AS ("
    "  INSERT INTO @store@.revenue_customers AS c (tenant_id, date, currency, customer, "
    "order_count)"
    "  SELECT $1, $2, $3, customer, orders FROM delta"
    "  ON CONFLICT (tenant_id, date, currency, customer) DO UPDATE"
    "   SET order_count = c.order_count OPERATOR(pg_catalog.+) excluded.order_count"
    "  RETURNING customer, order_count) "
    "SELECT pg_catalog.count(*) FILTER (WHERE w.order_count OPERATOR(pg_catalog.>) 0)"
    "       OPERATOR(pg_catalog.-) pg_catalog.count(*) FILTER"
    "        (WHERE w.order_count OPERATOR(pg_catalog.>) d.orders),"
    "       pg_catalog.count(*) FILTER (WHERE w.order_count OPERATOR(pg_catalog.=) 0) "
    "FROM written w JOIN delta d ON d.customer OPERATOR(pg_catalog.=) w.customer",
    UUIDOID, DATEOID, TEXTOID, UUIDARRAYOID, INT4ARRAYOID);

// Each is looked up by itself, whatever the planner believes: a bucket may have very many others.
pg::StoreQuery remove_customers(
    "DELETE FROM @store@.revenue_customers "
    "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
    " SELECT (SELECT c.ctid FROM @store@.revenue_customers c"
    "         WHERE c.tenant_id OPERATOR(pg_catalog.=) $1 AND c.date OPERATOR(pg_catalog.=) $2"
    "           AND c.currency::pg_catalog.text OPERATOR(pg_catalog.=) $3"
    "           AND c.customer OPERATOR(pg_catalog.=) given.customer"
    "           AND c.order_count OPERATOR(pg_catalog.=) 0)"
    " FROM pg_catalog.unnest($4) AS given (customer)))",
    UUIDOID, DATEOID, TEXTOID, UUIDARRAYOID);

// A bucket mostly exists already, and a plain UPDATE costs less than INSERT ... ON CONFLICT. There
// is no average of a part of the truth that no average can be: the column holds less than
// 100,000,000.
pg::StoreQuery update_metrics(
    "UPDATE @store@.revenue_metrics SET"
    " total_revenue = total_revenue OPERATOR(pg_catalog.+) $4,"
    " order_count = order_count OPERATOR(pg_catalog.+) $5,"
    " customer_count = customer_count OPERATOR(pg_catalog.+) $6,"
    " average_order_value ="
    "  CASE WHEN order_count OPERATOR(pg_catalog.+) $5 OPERATOR(pg_catalog.>) 0"
    "   AND pg_catalog.abs(total_revenue OPERATOR(pg_catalog.+) $4) OPERATOR(pg_catalog.<=)"
    "       (99999999.99 OPERATOR(pg_catalog.*) (order_count OPERATOR(pg_catalog.+) $5))"
    "  THEN pg_catalog.round((total_revenue OPERATOR(pg_catalog.+) $4) OPERATOR(pg_catalog./)"
    "       (order_count OPERATOR(pg_catalog.+) $5)::pg_catalog.numeric, 2)"
    "  END,"
    " paid_revenue = paid_revenue OPERATOR(pg_catalog.+) $7,"
    " paid_order_count = paid_order_count OPERATOR(pg_catalog.+) $8,"
    " refunded_amount = refunded_amount OPERATOR(pg_catalog.+) $9,"
    " net_revenue = (paid_revenue OPERATOR(pg_catalog.+) $7)"
    "  OPERATOR(pg_catalog.-) (refunded_amount OPERATOR(pg_catalog.+) $9) "
    "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND date OPERATOR(pg_catalog.=) $2"
    "  AND currency::pg_catalog.text OPERATOR(pg_catalog.=) $3 "
    "RETURNING order_count",
    UUIDOID, DATEOID, TEXTOID, NUMERICOID, INT4OID, INT4OID, NUMERICOID, INT4OID, NUMERICOID);

// One that does not is inserted. The bucket's key is locked, so none appears in between.
pg::StoreQuery insert_metrics(
    "INSERT INTO @store@.revenue_metrics (tenant_id, date, currency, total_revenue, "
    "order_count,"
    " customer_count, average_order_value, paid_revenue, paid_order_count, refunded_amount,"
    " net_revenue) "
    "VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $5 OPERATOR(pg_catalog.>) 0"
    "   AND pg_catalog.abs($4) OPERATOR(pg_catalog.<=) (99999999.99 OPERATOR(pg_catalog.*) $5)"
    "  THEN pg_catalog.round($4 OPERATOR(pg_catalog./) $5::pg_catalog.numeric, 2) END,"
    " $7, $8, $9, $7 OPERATOR(pg_catalog.-) $9) "
    "RETURNING order_count",
    UUIDOID, DATEOID, TEXTOID, NUMERICOID, INT4OID, INT4OID, NUMERICOID, INT4OID, NUMERICOID);

pg::StoreQuery
    remove_metrics("DELETE FROM @store@.revenue_metrics "
                   "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND date OPERATOR(pg_catalog.=) $2"
                   "  AND currency::pg_catalog.text OPERATOR(pg_catalog.=) $3"
                   "  AND order_count OPERATOR(pg_catalog.=) 0"
                   "  AND customer_count OPERATOR(pg_catalog.=) 0"
                   "  AND total_revenue OPERATOR(pg_catalog.=) 0"
                   "  AND paid_order_count OPERATOR(pg_catalog.=) 0"
                   "  AND paid_revenue OPERATOR(pg_catalog.=) 0"
                   "  AND refunded_amount OPERATOR(pg_catalog.=) 0",
                   UUIDOID, DATEOID, TEXTOID);

/// Adds to the customers' reference counts; returns by how many distinct customers the bucket
/// grows.
std::int64_t write_customers(const pg::Store &store, const BucketArguments &bucket,
                             std::span<const CustomerDelta> customers) {
  std::int64_t appeared, emptied;
  if (customers.size() == 1 && add_customer_directly(store, bucket, customers[0], appeared))
    return appeared;
  Datum *ids = palloc_many<Datum>(customers.size());
  Datum *orders = palloc_many<Datum>(customers.size());
  for (std::size_t i = 0; i < customers.size(); ++i) {
    ids[i] = PointerGetDatum(customers[i].customer.data());
    orders[i] = Int32GetDatum(customers[i].orders);
  }
  if (customers.size() == 1) {
    Datum arguments[] = {bucket.tenant, bucket.date, bucket.currency, ids[0], orders[0]};
    add_customer.run(store, arguments);
    int32 now = DatumGetInt32(pg::result_scalar());
    appeared = int(now > 0) - int(now > customers[0].orders);
    emptied = now == 0;
  } else {
    Datum arguments[] = {bucket.tenant, bucket.date, bucket.currency,
                         PointerGetDatum(construct_array(ids, int(customers.size()), UUIDOID,
                                                         UUID_LEN, false, TYPALIGN_CHAR)),
                         PointerGetDatum(construct_array(orders, int(customers.size()), INT4OID,
                                                         sizeof(int32), true, TYPALIGN_INT))};
    add_customers.run(store, arguments);
    bool is_null;
    appeared = DatumGetInt64(pg::result_datum(0, 1, is_null));
    emptied = DatumGetInt64(pg::result_datum(0, 2, is_null));
  }
  SPI_freetuptable(SPI_tuptable);
  if (emptied > 0) {
    Datum arguments[] = {bucket.tenant, bucket.date, bucket.currency,
                         PointerGetDatum(construct_array(ids, int(customers.size()), UUIDOID,
                                                         UUID_LEN, false, TYPALIGN_CHAR))};
    remove_customers.run_by_index(store, arguments);
  }
  pfree(ids);
  pfree(orders);
  return appeared;
}

} // namespace

BucketArguments::BucketArguments(const core::RevenueBucket &bucket)
    : tenant(PointerGetDatum(bucket.tenant.data())), date(DateADTGetDatum(bucket.day)),
      currency(CStringGetTextDatum(bucket.currency.data())) {}

Datum numeric_of(std::int64_t hundredths) {
  return NumericGetDatum(int64_div_fast_to_numeric(hundredths, 2));
}

Datum count_of(std::int64_t count) {
  if (count < PG_INT32_MIN || count > PG_INT32_MAX)
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("number of orders in one transaction is out of range")));
  return Int32GetDatum(int32(count));
}

BucketList changed_buckets(const core::RevenueChanges &changes) {
  std::size_t count = changes.buckets.size();
  BucketList list = {};
  list.keys = palloc_many<KeyedIndex>(count);
  list.customers = palloc_many<CustomerDelta>(changes.customers.size());
  list.first_customer = palloc_many<std::size_t>(count + 2);
  std::memset(list.first_customer, 0, (count + 2) * sizeof(std::size_t));

  // A counting sort by bucket. A bucket's count stands two places further on, so that the sums one
  // place further on are where its customers begin; filling moves those to where they end, which is
  // where the next bucket's begin.
  for (const auto &entry : changes.customers)
    if (entry.value != 0)
      ++list.first_customer[entry.key.bucket + 2];
  for (std::size_t i = 2; i < count + 2; ++i)
    list.first_customer[i] += list.first_customer[i - 1];
  for (const auto &entry : changes.customers)
    if (entry.value != 0)
      list.customers[list.first_customer[entry.key.bucket + 1]++] = {entry.key.customer,
                                                                     entry.value};

  for (std::uint32_t i = 0; i < count; ++i) {
    std::size_t first = list.first_customer[i], end = list.first_customer[i + 1];
    if (changes.buckets[i].value == core::BucketDelta{} && first == end)
      continue;
    std::sort(list.customers + first, list.customers + end,
              [](const CustomerDelta &left, const CustomerDelta &right) {
                return left.customer < right.customer;
              });
    list.keys[list.count++] = {core::hash_of(changes.buckets[i].key), i};
  }
  std::sort(list.keys, list.keys + list.count);
  return list;
}

void write_bucket(const pg::Store &store, const core::RevenueBucket &bucket,
                  const core::BucketDelta &delta, std::span<const CustomerDelta> customers) {
  BucketArguments arguments(bucket);
  std::int64_t appeared = 0;
  for (std::size_t first = 0; first < customers.size(); first += batch) {
    CHECK_FOR_INTERRUPTS();
    appeared += write_customers(
        store, arguments, customers.subspan(first, std::min(batch, customers.size() - first)));
  }
  if (delta == core::BucketDelta{} && appeared == 0)
    return;
  if (add_to_bucket_directly(store, arguments, delta, appeared))
    return;
  Datum values[] = {arguments.tenant,          arguments.date,
                    arguments.currency,        numeric_of(delta.total),
                    count_of(delta.orders),    count_of(appeared),
                    numeric_of(delta.paid),    count_of(delta.paid_orders),
                    numeric_of(delta.refunded)};
  update_metrics.run_by_index(store, values);
  if (SPI_processed == 0) {
    SPI_freetuptable(SPI_tuptable);
    insert_metrics.run(store, values);
  }
  bool may_be_empty = DatumGetInt32(pg::result_scalar()) == 0;
  SPI_freetuptable(SPI_tuptable);
  if (may_be_empty)
    remove_metrics.run(store, values);
}

} // namespace brainsait
