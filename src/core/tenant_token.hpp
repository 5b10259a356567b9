#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace brainsait::core {

// A tenant token is a signed statement "until this time, the bearer works for this tenant in this
// database". Layout of version 1, 73 bytes, integers big-endian:
//
//   offset  bytes
//        0      1  version, 1
//        1      4  id of the key that signs
//        5     12  database: the cluster's system identifier (8), the database's OID (4)
//       17     16  tenant
//       33      8  expiry in microseconds since 1970-01-01 00:00:00 UTC, signed
//       41     32  HMAC-SHA256 (RFC 2104) of the 41 bytes before it

inline constexpr std::size_t token_body_size = 41;
inline constexpr std::size_t token_signature_size = 32;
inline constexpr std::size_t token_size = token_body_size + token_signature_size;
inline constexpr std::uint8_t token_version = 1;
inline constexpr std::size_t token_database_offset = 5;

/// Which database a token is for, as it stands in the token.
using TokenDatabase = std::array<std::uint8_t, 12>;
using TokenBody = std::array<std::uint8_t, token_body_size>;
using TokenSignature = std::array<std::uint8_t, token_signature_size>;

struct TenantToken {
  std::uint32_t key_id;
  TokenDatabase database;
  std::array<std::uint8_t, 16> tenant;
  std::int64_t expires_at; ///< microseconds since 1970
};

/// Why a token is not taken. For the server's log: whoever shows the token is not told.
enum class TokenRefusal {
  none,
  wrong_size,
  unknown_version,
  unknown_key,
  wrong_signature,
  other_database,
  expired,
  expires_too_late,
};

/// One line of English for each.
const char *describe(TokenRefusal refusal) noexcept;

TokenDatabase token_database(std::uint64_t system_identifier, std::uint32_t database) noexcept;

/// The bytes that are signed.
TokenBody encode_token_body(const TenantToken &token) noexcept;

/// Takes a token apart: `none`, `wrong_size` or `unknown_version`. What it says is not to be
/// believed before judge_token().
TokenRefusal parse_token(std::span<const std::uint8_t> bytes, TenantToken &token) noexcept;

/// Whether a parsed token holds: `bytes` are the token's own, `signature` is what the key that it
/// names makes of its body. `now` in microseconds since 1970; a token that outlives
/// `now + longest_life` microseconds is refused too, whoever signed it.
TokenRefusal judge_token(const TenantToken &token, std::span<const std::uint8_t> bytes,
                         const TokenSignature &signature, const TokenDatabase &database,
                         std::int64_t now, std::int64_t longest_life) noexcept;

/// Compares without a branch on the contents, so that its time tells nothing of where two
/// signatures part.
bool equal_in_constant_time(std::span<const std::uint8_t> left,
                            std::span<const std::uint8_t> right) noexcept;

} // namespace brainsait::core
