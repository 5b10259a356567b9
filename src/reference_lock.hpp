#pragma once

#include "pg/postgres.hpp"

namespace brainsait {

/// References that are kept by a lock on the referenced row's key instead of the row itself.
///
/// PostgreSQL's check locks the row, FOR KEY SHARE, which writes to it: where a shop is busy, each
/// of its orders makes a new list of all transactions that hold its tenant's row, and waits for the
/// page. The lock on a key is in memory. Who inserts a reference takes it shared, and then looks by
/// a new snapshot whether the row is there. Who deletes the row or changes its key takes it
/// exclusively in guard_references(), a trigger on the referenced table, before the row changes:
/// so what PostgreSQL does for those who reference it, in a snapshot taken later, sees every
/// reference that was let in. Both hold it until the transaction ends, and a rollback to a
/// savepoint gives it back together with what it was taken for.
///
/// A reference may be locked either way at any time: a row that is about to be deleted is locked
/// against FOR KEY SHARE too.

/// The most columns that a guarded key may have.
constexpr int most_guarded_columns = 2;

/// Whether guard_references() stands on the table for the columns `keys`, in that order, and fires
/// whoever deletes.
bool is_guarded(Relation referenced, const AttrNumber *keys, int count);

/// Locks the key shared. False where the transaction has taken so many that the caller has to lock
/// the row itself: the lock table is everybody's. The first column tells the tenant.
bool lock_guarded_key(const Datum *key, int count);

} // namespace brainsait
