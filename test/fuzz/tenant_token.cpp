// Tokens and key files from any bytes: what is taken for a token is written back as it came, no
// token holds without its signature, and what is taken for a key file has one or two keys within
// their bounds.

#include "core/error.hpp"
#include "core/tenant_token.hpp"
#include "core/tenant_token_keys.hpp"

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

void try_key_file(std::string_view text) {
  try {
    const TokenKeys keys = parse_token_keys(text);
    if (keys.count < 1 || keys.count > TokenKeys::most)
      std::abort();
    for (std::size_t i = 0; i < keys.count; ++i)
      if (keys.find(keys.keys[i].id) != &keys.keys[i] || keys.keys[i].size < TokenKey::shortest ||
          keys.keys[i].size > TokenKey::longest)
        std::abort();
  } catch (const Error &error) {
    if (error.kind() != ErrorKind::invalid_parameter || std::string_view(error.what()).size() > 100)
      std::abort();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  try_token({data, size});
  // Random bytes seldom begin like a token or have its size: give them both.
  std::array<std::uint8_t, token_size> token = {token_version};
  std::copy_n(data, std::min(size, token.size() - 1), token.begin() + 1);
  try_token(token);
  try_key_file({reinterpret_cast<const char *>(data), size});
  return 0;
}
