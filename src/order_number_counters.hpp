#pragma once

#include "pg/store.hpp"

namespace brainsait {

/// Which counter: a tenant's own, for a format ("series"), in a period ('' for all time, 2026,
/// 2026-03 or 2026-03-09).
struct SeriesKey {
  pg_uuid_t tenant;
  char period[12];
  const char *series;
};

/// One of this transaction's counters. Valid until the transaction ends.
struct Counter;

/// Counts one on and returns the counter, whose value is the transaction's own until it commits:
/// numbers of one series follow one another without gaps, whatever is rolled back.
///
/// The first use in a transaction waits until no other transaction uses the counter, then reads and
/// writes its row; later uses count in memory, and the row is written once more before the commit
/// or PREPARE. Rolling back to a savepoint gives back what was counted since.
Counter &count_on(const pg::Store &store, const SeriesKey &key);

int64 counter_value(const Counter &counter);

/// Moves a counter that this transaction has counted on forward to `value`, past numbers that are
/// taken. Raises 22003 past the largest bigint (`value` <= the present one).
void advance_counter(const pg::Store &store, Counter &counter, int64 value);

void init_order_number_counters();

} // namespace brainsait
