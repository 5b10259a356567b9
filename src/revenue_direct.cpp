// Single rows of the rollup, written by the table access method.

#include "revenue_direct.hpp"

#include "pg/plain_table.hpp"
#include "pg/relation_changes.hpp"
#include "reference_check.hpp"
#include "revenue_queue.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

namespace metrics {
enum Column {
  tenant_id,
  date,
  currency,
  id,
  created_at,
  total_revenue,
  order_count,
  customer_count,
  average_order_value,
  paid_revenue,
  paid_order_count,
  refunded_amount,
  net_revenue
};
constexpr pg::PlainColumn columns[] = {
    {"tenant_id", UUIDOID},
    {"date", DATEOID},
    {"currency", VARCHAROID},
    {"id", UUIDOID, pg::PlainColumn::Filled::by_default},
    {"created_at", TIMESTAMPTZOID, pg::PlainColumn::Filled::by_default},
    {"total_revenue", NUMERICOID},
    {"order_count", INT4OID},
    {"customer_count", INT4OID},
    {"average_order_value", NUMERICOID},
    {"paid_revenue", NUMERICOID},
    {"paid_order_count", INT4OID},
    {"refunded_amount", NUMERICOID},
    {"net_revenue", NUMERICOID}};
pg::PlainTable table("revenue_metrics", columns, 3);
} // namespace metrics

namespace customers {
enum Column { tenant_id, date, currency, customer, order_count };
constexpr pg::PlainColumn columns[] = {{"tenant_id", UUIDOID},
                                       {"date", DATEOID},
                                       {"currency", VARCHAROID},
                                       {"customer", UUIDOID},
                                       {"order_count", INT4OID}};
pg::PlainTable table("revenue_customers", columns, 4);
} // namespace customers

namespace deltas {
constexpr pg::PlainColumn columns[] = {
    {"written_by", INT8OID},       {"id", INT8OID, pg::PlainColumn::Filled::by_sequence},
    {"tenant_id", UUIDOID},        {"date", DATEOID},
    {"currency", VARCHAROID},      {"customer", UUIDOID},
    {"customer_orders", INT4OID},  {"total_revenue", NUMERICOID},
    {"order_count", INT4OID},      {"paid_revenue", NUMERICOID},
    {"paid_order_count", INT4OID}, {"refunded_amount", NUMERICOID}};
pg::PlainTable table("revenue_deltas", columns, 2);
} // namespace deltas

void on_relation_change(Oid relation) {
  metrics::table.forget(relation);
  customers::table.forget(relation);
  deltas::table.forget(relation);
}

/// Adds to a count; false where the sum is none, or null was stored.
bool add_count(pg::PlainRow &row, int column, std::int64_t change) {
  int32 sum;
  if (row.nulls[column] || change < PG_INT32_MIN || change > PG_INT32_MAX ||
      pg_add_s32_overflow(DatumGetInt32(row.values[column]), int32(change), &sum))
    return false;
  row.values[column] = Int32GetDatum(sum);
  return true;
}

/// Adds hundredths to an amount.
bool add_amount(pg::PlainRow &row, int column, std::int64_t change) {
  if (row.nulls[column])
    return false;
  if (change != 0)
    row.values[column] = metrics::table.fit(
        column, DirectFunctionCall2(numeric_add, row.values[column], numeric_of(change)));
  return true;
}

/// Revenue by orders, rounded to hundredths; null where there is none that the column can hold.
/// False where that cannot be told here.
bool set_average(pg::PlainRow &row) {
  using namespace metrics;
  std::int64_t orders = DatumGetInt32(row.values[order_count]), most;
  if (__builtin_mul_overflow(orders, std::int64_t(99'999'999'99), &most))
    return false;
  Datum total = row.values[total_revenue];
  row.nulls[average_order_value] =
      orders <= 0 || !DatumGetBool(DirectFunctionCall2(
                         numeric_le, DirectFunctionCall1(numeric_abs, total), numeric_of(most)));
  if (row.nulls[average_order_value])
    return true;
  Datum average =
      DirectFunctionCall2(numeric_div, total, NumericGetDatum(int64_to_numeric(orders)));
  row.values[average_order_value] =
      table.fit(average_order_value, DirectFunctionCall2(numeric_round, average, Int32GetDatum(2)));
  return true;
}

bool add_to_row(pg::PlainRow &row, const core::BucketDelta &delta, std::int64_t appeared) {
  using namespace metrics;
  if (!add_count(row, order_count, delta.orders) || !add_count(row, customer_count, appeared) ||
      !add_count(row, paid_order_count, delta.paid_orders) ||
      !add_amount(row, total_revenue, delta.total) || !add_amount(row, paid_revenue, delta.paid) ||
      !add_amount(row, refunded_amount, delta.refunded) || !set_average(row))
    return false;
  if (delta.paid != 0 || delta.refunded != 0)
    row.values[net_revenue] =
        table.fit(net_revenue, DirectFunctionCall2(numeric_sub, row.values[paid_revenue],
                                                   row.values[refunded_amount]));
  return DatumGetInt32(row.values[order_count]) != 0;
}

/// The row of a bucket in which nothing is counted yet.
pg::PlainRow empty_row(const Datum (&key)[3]) {
  using namespace metrics;
  pg::PlainRow row = {};
  std::copy(std::begin(key), std::end(key), row.values);
  Datum zero = numeric_of(0);
  for (int amount : {total_revenue, paid_revenue, refunded_amount, net_revenue})
    row.values[amount] = table.fit(amount, zero);
  for (int count : {order_count, customer_count, paid_order_count})
    row.values[count] = Int32GetDatum(0);
  return row;
}

bool add_orders(pg::PlainRow &row, std::int32_t orders, std::int64_t &appeared) {
  using namespace customers;
  std::int64_t before = DatumGetInt32(row.values[order_count]);
  if (!add_count(row, order_count, orders) || before + orders == 0)
    return false;
  appeared = int(before + orders > 0) - int(before > 0);
  return true;
}

bool insert_customer(const Datum (&key)[4], std::int32_t orders, std::int64_t &appeared) {
  using namespace customers;
  pg::PlainRow row = {{key[0], key[1], key[2], key[3], Int32GetDatum(orders)}, {}};
  appeared = orders > 0;
  return table.insert(row, nullptr);
}

} // namespace

bool add_customer_directly(const pg::Store &store, const BucketArguments &bucket,
                           const CustomerDelta &customer, std::int64_t &appeared) {
  using namespace customers;
  if (!table.open(store))
    return false;
  const Datum key[] = {bucket.tenant, bucket.date, bucket.currency,
                       PointerGetDatum(customer.customer.data())};
  // Mostly customers come once a day, and looking for a row before it is inserted costs as much as
  // inserting it. So it is looked for first only after a customer that had one.
  static bool expects_none = true;
  bool written = false;
  if (expects_none && customer.orders > 0) {
    written = insert_customer(key, customer.orders, appeared);
    expects_none = written;
  }
  if (!written) {
    pg::PlainRow row;
    bool found = table.find(key, row);
    expects_none = !found;
    written = found ? add_orders(row, customer.orders, appeared) && table.update(row)
                    : insert_customer(key, customer.orders, appeared);
  }
  table.close();
  return written;
}

bool add_to_bucket_directly(const pg::Store &store, const BucketArguments &bucket,
                            const core::BucketDelta &delta, std::int64_t appeared) {
  using namespace metrics;
  if (!table.open(store))
    return false;
  const Datum key[] = {bucket.tenant, bucket.date, bucket.currency};
  pg::PlainRow row;
  bool written;
  if (table.find(key, row)) {
    written = add_to_row(row, delta, appeared) && table.update(row);
  } else {
    row = empty_row(key);
    written = add_to_row(row, delta, appeared) && table.insert(row, references_hold);
  }
  table.close();
  return written;
}

bool append_directly(const pg::Store &store, const DeltaRow &row) {
  using namespace deltas;
  if (!table.open(store))
    return false;
  const CustomerDelta *customer = row.customer;
  pg::PlainRow values = {
      {Int64GetDatum(own_transaction()), Datum(0), row.tenant, row.date, row.currency,
       customer == nullptr ? Datum(0) : PointerGetDatum(customer->customer.data()),
       Int32GetDatum(customer == nullptr ? 0 : customer->orders), numeric_of(row.delta.total),
       count_of(row.delta.orders), numeric_of(row.delta.paid), count_of(row.delta.paid_orders),
       numeric_of(row.delta.refunded)},
      {false, false, false, false, false, customer == nullptr}};
  bool written = table.insert(values, nullptr);
  table.close();
  return written;
}

void init_revenue_direct() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait
