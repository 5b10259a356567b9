#pragma once

#include "revenue_write.hpp"

namespace brainsait {

// The rollup's most frequent writes past SPI, where its tables are plain (pg/plain_table.hpp). Each
// is what the query beside its call does, in the same owner session under the same locks, and
// returns false with nothing done where that query has to run after all.

/// Adds `customer.orders` to one customer's orders in a bucket; `appeared` is set to by how many
/// distinct customers the bucket grows. Leaves rows that come to nothing to the query.
bool add_customer_directly(const pg::Store &store, const BucketArguments &bucket,
                           const CustomerDelta &customer, std::int64_t &appeared);

/// Adds to a bucket's row, or inserts it, as long as it does not come to no order.
bool add_to_bucket_directly(const pg::Store &store, const BucketArguments &bucket,
                            const core::BucketDelta &delta, std::int64_t appeared);

/// A row of revenue_deltas; `customer` nullptr for none.
struct DeltaRow {
  Datum tenant, date, currency;
  const CustomerDelta *customer;
  core::BucketDelta delta;
};

/// Appends a row to revenue_deltas.
bool append_directly(const pg::Store &store, const DeltaRow &row);

/// Registers the invalidation of what is known about the tables.
void init_revenue_direct();

} // namespace brainsait
