#include "pg/time_zone.hpp"

extern "C" {
#include "utils/datetime.h"
}

namespace brainsait::pg {
namespace {

pg_tm local_time(TimestampTz time, pg_tz *zone) {
  pg_tm parts;
  int offset;
  fsec_t microseconds;
  Timestamp local;
  // At the ends of its range a time can exist while the zone's clock shows none that does: AT TIME
  // ZONE raises there, too.
  if (timestamp2tm(time, &offset, &parts, &microseconds, nullptr, zone) != 0 ||
      tm2timestamp(&parts, microseconds, nullptr, &local) != 0)
    ereport(ERROR,
            (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
  return parts;
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

} // namespace brainsait::pg
