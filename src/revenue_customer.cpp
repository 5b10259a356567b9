// revenue_customer(): who an order's customer is. Triggers, rebuild and check all ask this one
// function.

#include "revenue_customer.hpp"

extern "C" {
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/formatting.h"
}

namespace brainsait {
namespace {

core::Uuid key_of_email(const char *email, std::size_t length) {
  static constexpr char prefix[] = "email:";
  uint8 digest[PG_SHA256_DIGEST_LENGTH];
  pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
  if (hash == nullptr || pg_cryptohash_init(hash) < 0 ||
      pg_cryptohash_update(hash, reinterpret_cast<const uint8 *>(prefix), sizeof prefix - 1) < 0 ||
      pg_cryptohash_update(hash, reinterpret_cast<const uint8 *>(email), length) < 0 ||
      pg_cryptohash_final(hash, digest, sizeof digest) < 0)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute SHA-256")));
  pg_cryptohash_free(hash);
  core::Uuid key;
  std::memcpy(key.data(), digest, key.size());
  return key;
}

} // namespace

core::Uuid revenue_customer(const pg_uuid_t *user, const text *email, Oid collation,
                            const pg_uuid_t &order) {
  if (user == nullptr && email != nullptr) {
    char *lower = str_tolower(VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email), collation);
    return key_of_email(lower, std::strlen(lower));
  }
  core::Uuid key;
  std::memcpy(key.data(), user != nullptr ? user->data : order.data, key.size());
  return key;
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_revenue_customer);

/// revenue_customer(user_id uuid, customer_email text, order_id uuid) -> uuid. Null only where the
/// order has neither user nor e-mail nor id.
Datum brainsait_revenue_customer(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  const pg_uuid_t *user = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
  const text *email = PG_ARGISNULL(1) ? nullptr : PG_GETARG_TEXT_PP(1);
  static constexpr pg_uuid_t no_order = {};
  if (PG_ARGISNULL(2) && user == nullptr && email == nullptr)
    PG_RETURN_NULL();
  core::Uuid key = revenue_customer(user, email, PG_GET_COLLATION(),
                                    PG_ARGISNULL(2) ? no_order : *PG_GETARG_UUID_P(2));
  auto *result = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
  std::memcpy(result->data, key.data(), key.size());
  PG_RETURN_UUID_P(result);
}
}
