#include "core/tenant_token.hpp"

#include <algorithm>

namespace brainsait::core {
namespace {

void put(std::uint8_t *place, std::uint64_t value, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i)
    place[i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
}

std::uint64_t get(const std::uint8_t *place, std::size_t size) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | place[i];
  return value;
}

constexpr std::size_t key_offset = 1;
constexpr std::size_t tenant_offset = token_database_offset + sizeof(TokenDatabase);
constexpr std::size_t expiry_offset = tenant_offset + 16;
static_assert(expiry_offset + sizeof(std::int64_t) == token_body_size);

} // namespace

const char *describe(TokenRefusal refusal) noexcept {
  switch (refusal) {
  case TokenRefusal::none:
    return "it is valid";
  case TokenRefusal::wrong_size:
    return "it does not have the size of a token";
  case TokenRefusal::unknown_version:
    return "its version is not known";
  case TokenRefusal::unknown_key:
    return "no live key has its key id";
  case TokenRefusal::wrong_signature:
    return "its signature is wrong";
  case TokenRefusal::other_database:
    return "it is for another database";
  case TokenRefusal::expired:
    return "it has expired";
  case TokenRefusal::expires_too_late:
    return "it expires later than brainsait.token_lifetime allows";
  }
  return "unknown";
}

TokenDatabase token_database(std::uint64_t system_identifier, std::uint32_t database) noexcept {
  TokenDatabase identity = {};
  put(identity.data(), system_identifier, sizeof system_identifier);
  put(identity.data() + sizeof system_identifier, database, sizeof database);
  return identity;
}

TokenBody encode_token_body(const TenantToken &token) noexcept {
  TokenBody body = {};
  body[0] = token_version;
  put(body.data() + key_offset, token.key_id, sizeof token.key_id);
  std::ranges::copy(token.database, body.begin() + token_database_offset);
  std::ranges::copy(token.tenant, body.begin() + tenant_offset);
  put(body.data() + expiry_offset, static_cast<std::uint64_t>(token.expires_at),
      sizeof token.expires_at);
  return body;
}

TokenRefusal parse_token(std::span<const std::uint8_t> bytes, TenantToken &token) noexcept {
  if (bytes.size() != token_size)
    return TokenRefusal::wrong_size;
  if (bytes[0] != token_version)
    return TokenRefusal::unknown_version;
  token.key_id = static_cast<std::uint32_t>(get(bytes.data() + key_offset, sizeof token.key_id));
  std::ranges::copy(bytes.subspan(token_database_offset, token.database.size()),
                    token.database.begin());
  std::ranges::copy(bytes.subspan(tenant_offset, token.tenant.size()), token.tenant.begin());
  token.expires_at =
      static_cast<std::int64_t>(get(bytes.data() + expiry_offset, sizeof token.expires_at));
  return TokenRefusal::none;
}

TokenRefusal judge_token(const TenantToken &token, std::span<const std::uint8_t> bytes,
                         const TokenSignature &signature, const TokenDatabase &database,
                         std::int64_t now, std::int64_t longest_life) noexcept {
  // The signature first: until it holds, the rest is what anybody may have written.
  if (bytes.size() != token_size ||
      !equal_in_constant_time(bytes.subspan(token_body_size), signature))
    return TokenRefusal::wrong_signature;
  if (token.database != database)
    return TokenRefusal::other_database;
  if (token.expires_at <= now)
    return TokenRefusal::expired;
  if (token.expires_at > now + longest_life)
    return TokenRefusal::expires_too_late;
  return TokenRefusal::none;
}

bool equal_in_constant_time(std::span<const std::uint8_t> left,
                            std::span<const std::uint8_t> right) noexcept {
  if (left.size() != right.size())
    return false;
  // Volatile, so that no compiler finds out that the first difference settles it.
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    difference = static_cast<std::uint8_t>(difference | (left[i] ^ right[i]));
  return difference == 0;
}

} // namespace brainsait::core
