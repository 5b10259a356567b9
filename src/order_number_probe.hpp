#pragma once

#include "pg/store.hpp"

namespace brainsait {

/// What order numbers need to know of the table that holds them.
struct OrdersTable {
  Oid relation = InvalidOid;
  Oid number_index = InvalidOid; ///< unique index over number alone, or InvalidOid
  Oid equality = InvalidOid;     ///< function of the index's equality
  int tenant_id = 0;             ///< column numbers
  int number = 0;
  int created_at = 0;
};

/// Looks `orders` over, or takes what an earlier look found. Raises 42501 where the table does not
/// belong to the store's owner: a trigger on somebody's own table must not draw a tenant's numbers.
/// Raises 42703 or 42804 where a column is missing or has another type.
const OrdersTable &orders_table(const pg::Store &store, Relation orders);

/// Whether `number` is taken: by a row of whatever tenant, committed, this transaction's own, or of
/// a transaction in progress, for which it does not wait. Always false where no unique index is
/// there.
bool order_number_taken(const OrdersTable &table, Relation orders, std::string_view number);

void init_order_number_probe();

} // namespace brainsait
