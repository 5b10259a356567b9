#include "pg/hmac.hpp"

extern "C" {
#include "common/hmac.h"
}

namespace brainsait::pg {

HmacSha256 hmac_sha256(std::span<const uint8> key,
                       std::initializer_list<std::span<const uint8>> parts) {
  HmacSha256 digest;
  pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
  bool failed = hmac == nullptr || pg_hmac_init(hmac, key.data(), key.size()) < 0;
  for (std::span<const uint8> part : parts)
    failed = failed || pg_hmac_update(hmac, part.data(), part.size()) < 0;
  if (failed || pg_hmac_final(hmac, digest.data(), digest.size()) < 0)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute HMAC-SHA256"),
                    errdetail_log("%s", pg_hmac_error(hmac))));
  pg_hmac_free(hmac);
  return digest;
}

} // namespace brainsait::pg
