// uuid_v7(): the clock and the randomness for the core's generator.

#include "identifiers.hpp"

#include "core/uuid_v7.hpp"

#include <time.h>

namespace brainsait {
namespace {

core::UuidV7Generator generator;

// Asking for random bytes costs far more than the bytes: many identifiers' worth are taken at once.
constexpr std::size_t random_size = 8;
std::array<std::uint8_t, 64 * random_size> random_bytes;
std::size_t random_left = 0;

std::span<const std::uint8_t, random_size> next_random() {
  if (random_left == 0) {
    if (!pg_strong_random(random_bytes.data(), random_bytes.size()))
      ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
    random_left = random_bytes.size();
  }
  random_left -= random_size;
  return std::span<const std::uint8_t, random_size>(random_bytes.data() + random_left, random_size);
}

std::int64_t unix_nanoseconds() {
  timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0)
    elog(ERROR, "could not read the clock: %m");
  return std::int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

} // namespace

pg_uuid_t new_uuid_v7() {
  auto bytes = generator.next(unix_nanoseconds(), next_random());
  pg_uuid_t uuid;
  std::memcpy(uuid.data, bytes.data(), UUID_LEN);
  return uuid;
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_uuid_v7);

/// uuid_v7(): RFC 9562 version 7, strictly increasing within the backend.
Datum brainsait_uuid_v7(PG_FUNCTION_ARGS) {
  auto *uuid = static_cast<pg_uuid_t *>(palloc(UUID_LEN));
  *uuid = brainsait::new_uuid_v7();
  PG_RETURN_UUID_P(uuid);
}
}
