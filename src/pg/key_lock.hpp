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
  revenue_zone = 0xB8,        ///< a tenant's time zone, or every tenant's (key every_key)
  revenue_progress = 0xB9,    ///< the row of revenue_fold_progress (key every_key)
  fold_worker = 0xBA,         ///< held by the worker that folds revenue_deltas (key every_key)
  webhook_dispatcher = 0xBB,  ///< held by the worker that sends webhooks (key every_key)
  reference = 0xBC,           ///< a row that others reference: whether it stays
};

/// The key of what a class has only one of.
constexpr uint64 every_key = 0;

/// As usual: shared locks go together, an exclusive one goes with none.
enum class LockStrength { shared, exclusive };

/// Takes the lock on a key of this database, waiting for it as long as needed (deadlocks
/// and lock_timeout end the wait as usual). Held until the end of the transaction; one that a
/// subtransaction took is released when the subtransaction rolls back. Two keys with equal hashes
/// only wait for one another without need. Taking a lock that the transaction holds is cheap: false
/// tells that it was so.
bool lock_key(LockClass lock_class, uint64 key_hash,
              LockStrength strength = LockStrength::exclusive);

/// Whether this transaction has just that lock.
bool holds_key(LockClass lock_class, uint64 key_hash, LockStrength strength);

/// lock_key() without waiting: false where another transaction holds or awaits a lock that
/// conflicts.
bool try_lock_key(LockClass lock_class, uint64 key_hash,
                  LockStrength strength = LockStrength::exclusive);

/// Gives back before its time an exclusive lock that the transaction took once.
void unlock_key(LockClass lock_class, uint64 key_hash);

/// The exclusive lock, waited for in a queue as lock_key() does, but no longer than so many
/// milliseconds: false where that was not enough. Opens a subtransaction for the wait.
bool lock_key_within(LockClass lock_class, uint64 key_hash, int milliseconds);

} // namespace brainsait::pg
