#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "common/sha2.h"
}

namespace brainsait::pg {

using HmacSha256 = std::array<uint8, PG_SHA256_DIGEST_LENGTH>;

/// HMAC-SHA256 (RFC 2104) under `key` of the parts, one after the other. Raises XX000 where the
/// library that computes it fails.
HmacSha256 hmac_sha256(std::span<const uint8> key,
                       std::initializer_list<std::span<const uint8>> parts);

/// A text's bytes.
inline std::span<const uint8> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8 *>(text.data()), text.size()};
}

} // namespace brainsait::pg
