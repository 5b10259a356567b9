#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// The microseconds of an interval whose length does not depend on the calendar: days are 24 hours.
/// Raises 22023 for months (and for infinity, which has all of them), naming `what`; 22008 beyond
/// 64 bits.
inline int64 fixed_microseconds(const Interval *interval, const char *what) {
  if (interval->month != 0)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be of a fixed length", what),
             errdetail("Months and years differ in length."),
             errhint("Write it in weeks, days, hours, minutes or seconds.")));
  int64 days = 0, sum = 0;
  if (pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &days) ||
      pg_add_s64_overflow(days, interval->time, &sum))
    ereport(ERROR,
            (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s is out of range", what)));
  return sum;
}

/// The interval of so many microseconds, with each 24 hours as a day, as timestamps subtract.
inline Interval *make_fixed_interval(int64 microseconds) {
  auto *interval = static_cast<Interval *>(palloc0(sizeof(Interval)));
  interval->day = int32(microseconds / USECS_PER_DAY);
  interval->time = microseconds % USECS_PER_DAY;
  return interval;
}

/// Raises 22008 for an infinite time.
inline void require_finite(TimestampTz time) {
  if (TIMESTAMP_NOT_FINITE(time))
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                    errmsg("an infinite time has no place here")));
}

/// Raises 22023 where argument `number` is null, naming it.
inline void require_argument(FunctionCallInfo fcinfo, int number, const char *what) {
  if (PG_ARGISNULL(number))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be null", what)));
}

} // namespace brainsait::pg
