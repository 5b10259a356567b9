#include "pg/time_zone.hpp"

extern "C" {
#include "utils/datetime.h"
}

namespace brainsait::pg {
namespace {

[[noreturn]] void raise_out_of_range() {
  ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
  pg_unreachable();
}

pg_tm local_time(TimestampTz time, pg_tz *zone) {
  pg_tm parts;
  int offset;
  fsec_t microseconds;
  Timestamp local;
  // At the ends of its range a time can exist while the zone's clock shows none that does: AT TIME
  // ZONE raises there, too.
  if (timestamp2tm(time, &offset, &parts, &microseconds, nullptr, zone) != 0 ||
      tm2timestamp(&parts, microseconds, nullptr, &local) != 0)
    raise_out_of_range();
  return parts;
}

/// The time at which the zone's clock shows what `change` makes of what it shows at `time`.
template <typename Change>
TimestampTz change_local_time(TimestampTz time, pg_tz *zone, Change &&change) {
  pg_tm parts;
  int offset;
  fsec_t microseconds;
  if (timestamp2tm(time, &offset, &parts, &microseconds, nullptr, zone) != 0)
    raise_out_of_range();
  change(parts);
  offset = DetermineTimeZoneOffset(&parts, zone);
  TimestampTz changed;
  if (tm2timestamp(&parts, microseconds, &offset, &changed) != 0)
    raise_out_of_range();
  return changed;
}

} // namespace

pg_tz *named_time_zone(const char *name) {
  bool universal = pg_strcasecmp(name, "UTC") == 0 || pg_strcasecmp(name, "GMT") == 0;
  if (!universal && std::strchr(name, '/') == nullptr)
    return nullptr;
  // No zone's name holds these; POSIX specifications do.
  if (std::strpbrk(name, "<>, :") != nullptr)
    return nullptr;
  pg_tz *zone = pg_tzset(name);
  return zone != nullptr && pg_tz_acceptable(zone) ? zone : nullptr;
}

DateADT local_date(TimestampTz time, pg_tz *zone) {
  if (TIMESTAMP_IS_NOBEGIN(time))
    return DATEVAL_NOBEGIN;
  if (TIMESTAMP_IS_NOEND(time))
    return DATEVAL_NOEND;
  pg_tm parts = local_time(time, zone);
  return date2j(parts.tm_year, parts.tm_mon, parts.tm_mday) - POSTGRES_EPOCH_JDATE;
}

LocalDate local_date_parts(TimestampTz time, pg_tz *zone) {
  if (TIMESTAMP_NOT_FINITE(time))
    ereport(ERROR,
            (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
  pg_tm parts = local_time(time, zone);
  if (parts.tm_year < 1 || parts.tm_year > 9999)
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                    errmsg("year %d cannot stand in an order number", parts.tm_year)));
  int day = date2j(parts.tm_year, parts.tm_mon, parts.tm_mday);
  return {parts.tm_year, parts.tm_mon, parts.tm_mday, day - date2j(parts.tm_year, 1, 1) + 1};
}

TimestampTz add_in_zone(TimestampTz time, const Interval &interval, int32 times, pg_tz *zone) {
  int32 months, days;
  int64 passed;
  if (pg_mul_s32_overflow(interval.month, times, &months) ||
      pg_mul_s32_overflow(interval.day, times, &days) ||
      pg_mul_s64_overflow(interval.time, times, &passed))
    raise_out_of_range();
  if (months != 0)
    time = change_local_time(time, zone, [&](pg_tm &parts) {
      int64 month = int64(parts.tm_year) * 12 + parts.tm_mon - 1 + months;
      int64 year = month >= 0 ? month / 12 : (month - 11) / 12;
      if (year > PG_INT32_MAX / 2 || year < PG_INT32_MIN / 2)
        raise_out_of_range();
      parts.tm_year = int(year);
      parts.tm_mon = int(month - year * 12) + 1;
      parts.tm_mday = Min(parts.tm_mday, day_tab[isleap(parts.tm_year)][parts.tm_mon - 1]);
    });
  if (days != 0)
    time = change_local_time(time, zone, [&](pg_tm &parts) {
      int julian;
      if (pg_add_s32_overflow(date2j(parts.tm_year, parts.tm_mon, parts.tm_mday), days, &julian) ||
          julian < 0)
        raise_out_of_range();
      j2date(julian, &parts.tm_year, &parts.tm_mon, &parts.tm_mday);
    });
  if (pg_add_s64_overflow(time, passed, &time) || !IS_VALID_TIMESTAMP(time))
    raise_out_of_range();
  return time;
}

} // namespace brainsait::pg
