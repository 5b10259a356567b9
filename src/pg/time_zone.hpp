#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "pgtime.h"
#include "utils/date.h"
}

namespace brainsait::pg {

/// The time zone of that full name ("Asia/Riyadh", "UTC"), or nullptr. Abbreviations ("CET") and
/// POSIX specifications ("XYZ+3") are not accepted: AT TIME ZONE and the zone files disagree on
/// what they mean.
pg_tz *named_time_zone(const char *name);

/// The calendar day on which `time` falls in `zone`: what (time AT TIME ZONE zone)::date gives,
/// infinities included. Raises 22008 where the zone's clock leaves the range of timestamps.
DateADT local_date(TimestampTz time, pg_tz *zone);

/// The local year, month, day and day of the year of a finite `time`. Raises 22008 where the year
/// is not 1 to 9999, or `time` is infinite.
struct LocalDate {
  int year, month, day, day_of_year;
};
LocalDate local_date_parts(TimestampTz time, pg_tz *zone);

/// `time` and `times` intervals, counted on the calendar and clock of `zone`: months first, then
/// days, then time that passes, as timestamptz + interval does it in the session's zone. Raises
/// 22008 beyond the range of timestamps.
TimestampTz add_in_zone(TimestampTz time, const Interval &interval, int32 times, pg_tz *zone);

} // namespace brainsait::pg
