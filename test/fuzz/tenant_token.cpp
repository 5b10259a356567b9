// Tokens from any bytes: what is taken for a token is written back as it came, and no token holds
// without its signature.

#include "core/tenant_token.hpp"

#include <algorithm>
#include <cstdlib>

using namespace brainsait::core;

namespace {

void try_token(std::span<const std::uint8_t> bytes) {
  TenantToken token;
  if (parse_token(bytes, token) != TokenRefusal::none)
    return;
  const TokenBody body = encode_token_body(token);
  if (bytes.size() != token_size || !std::ranges::equal(body, bytes.first(body.size())))
    std::abort();
  TokenSignature signature = {};
  std::ranges::copy(bytes.subspan(token_body_size), signature.begin());
  const std::int64_t now = std::int64_t{1} << 50;
  const TokenRefusal judged = judge_token(token, bytes, signature, token.database, now, 60'000'000);
  const bool in_time = token.expires_at > now && token.expires_at <= now + 60'000'000;
  if ((judged == TokenRefusal::none) != in_time)
    std::abort();
  signature[bytes[token_body_size] % signature.size()] ^= 1;
  if (judge_token(token, bytes, signature, token.database, now, 60'000'000) !=
      TokenRefusal::wrong_signature)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  try_token({data, size});
  // Random bytes seldom begin like a token or have its size: give them both.
  std::array<std::uint8_t, token_size> token = {token_version};
  std::copy_n(data, std::min(size, token.size() - 1), token.begin() + 1);
  try_token(token);
  return 0;
}
