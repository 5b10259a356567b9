#pragma once

#include "core/pending_revenue.hpp"
#include "pg/store.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace brainsait {

/// An order's identity and what it adds to the rollup.
struct OrderRow {
  core::Uuid id;
  core::Uuid tenant;
  core::OrderContribution contribution;
  TimestampTz created_at; ///< 0 where the order has no day
  std::uintptr_t zone;    ///< the time zone that gave the day, 0 where the order has no day
};

/// A payment's order, if any, and its refund in hundredths.
struct PaymentRow {
  bool has_order;
  core::Uuid order;
  core::Uuid tenant;
  std::int64_t refunded;
};

/// Reads rows of orders and payments by column name, whatever order or added columns the tables
/// have. Raise 42703 where a column is missing, 42804 where its type cannot be read, 22023 where an
/// amount has more than two decimals or a currency is not three capital letters, 22003 where an
/// amount has more than ten digits.
OrderRow read_order(const pg::Store &store, Relation orders, TupleTableSlot *slot);
PaymentRow read_payment(Relation payments, TupleTableSlot *slot);

/// The bucket of an order of `tenant` placed at `created_at` in `currency` (data() nullptr: none),
/// by the tenant's time zone, which is stored in `zone`.
core::RevenueBucket revenue_bucket(const pg::Store &store, const pg_uuid_t &tenant,
                                   TimestampTz created_at, std::string_view currency,
                                   std::uintptr_t &zone);

/// A name for the time zone in which the tenant's days turn now. Equal names, equal zones.
std::uintptr_t revenue_zone(const pg::Store &store, const pg_uuid_t &tenant);

/// A numeric amount in hundredths. Raises 22023 beyond two decimals, 22003 beyond 64 bits.
std::int64_t hundredths(Datum amount);

core::Uuid to_core(const pg_uuid_t &id);
pg_uuid_t from_core(const core::Uuid &id);

/// Registers the invalidation of what is remembered about columns.
void init_revenue_rows();

} // namespace brainsait
