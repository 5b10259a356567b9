#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// Classes of keys that lock_key() locks. They stand where user-level advisory locks have 1 or 2,
/// so that pg_advisory_lock() never meets them, while pg_locks shows them as advisory locks of that
/// class.
enum class LockClass : uint16 {
  order_number_series = 0xB5, ///< a tenant's counter of order numbers
  revenue_bucket = 0xB6,      ///< a tenant's day and currency in revenue_metrics
  revenue_order = 0xB7,       ///< an order whose refunds are being counted
};

/// Takes the exclusive lock on a key of this database, waiting for it as long as needed (deadlocks
/// and lock_timeout end the wait as usual). Held until the end of the transaction; one that a
/// subtransaction took is released when the subtransaction rolls back. Two keys with equal hashes
/// only wait for one another without need. Taking a lock that the transaction holds is cheap.
void lock_key(LockClass lock_class, uint64 key_hash);

/// lock_key() without waiting: false where another transaction holds the lock.
bool try_lock_key(LockClass lock_class, uint64 key_hash);

} // namespace brainsait::pg
