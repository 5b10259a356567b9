#include "core/error.hpp"
#include "core/tenant_token.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;

constexpr std::int64_t minute = 60'000'000;
constexpr std::int64_t now = 1'700'000'000'000'000;

TokenSignature signature_of_sevens() {
  TokenSignature signature;
  signature.fill(7);
  return signature;
}

TenantToken a_token() {
  TenantToken token = {.key_id = 0x01020304,
                       .database = token_database(0x1112131415161718, 0x21222324),
                       .tenant = {},
                       .expires_at = 0x3132333435363738};
  for (std::size_t i = 0; i < token.tenant.size(); ++i)
    token.tenant[i] = static_cast<std::uint8_t>(0x40 + i);
  return token;
}

std::vector<std::uint8_t> bytes_of(const TenantToken &token) {
  const TokenBody body = encode_token_body(token);
  std::vector<std::uint8_t> bytes(body.begin(), body.end());
  bytes.resize(token_size, 7);
  return bytes;
}

TEST(TenantToken, LayoutByHand) {
  const std::vector<std::uint8_t> expected = {
      0x01, 0x01, 0x02, 0x03, 0x04,                    // version, key
      0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  // system identifier
      0x21, 0x22, 0x23, 0x24,                          // database
      0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,  // tenant
      0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f,  //
      0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38}; // expiry
  const TokenBody body = encode_token_body(a_token());
  EXPECT_TRUE(std::ranges::equal(body, expected));
}

TEST(TenantToken, ComesBackAsItWas) {
  for (const std::int64_t expiry :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0}, now,
        std::numeric_limits<std::int64_t>::max()}) {
    TenantToken token = a_token();
    token.expires_at = expiry;
    token.key_id = 0xFFFFFFFF;
    TenantToken parsed = {};
    ASSERT_EQ(parse_token(bytes_of(token), parsed), TokenRefusal::none);
    EXPECT_EQ(parsed.key_id, token.key_id);
    EXPECT_EQ(parsed.database, token.database);
    EXPECT_EQ(parsed.tenant, token.tenant);
    EXPECT_EQ(parsed.expires_at, expiry);
  }
}

TEST(TenantToken, SizeAndVersion) {
  TenantToken parsed = {};
  for (std::size_t size = 0; size < 2 * token_size; ++size) {
    std::vector<std::uint8_t> bytes(size, token_version);
    EXPECT_EQ(parse_token(bytes, parsed),
              size == token_size ? TokenRefusal::none : TokenRefusal::wrong_size);
  }
  for (int version = 0; version < 256; ++version) {
    std::vector<std::uint8_t> bytes(token_size, static_cast<std::uint8_t>(version));
    EXPECT_EQ(parse_token(bytes, parsed),
              version == 1 ? TokenRefusal::none : TokenRefusal::unknown_version);
  }
}

TEST(TenantToken, EveryByteOfTheSignatureCounts) {
  TenantToken token = a_token();
  token.expires_at = now + 1;
  const std::vector<std::uint8_t> bytes = bytes_of(token);
  EXPECT_EQ(judge_token(token, bytes, signature_of_sevens(), token.database, now, minute),
            TokenRefusal::none);
  for (std::size_t i = 0; i < token_signature_size; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      TokenSignature other = signature_of_sevens();
      other[i] = static_cast<std::uint8_t>(other[i] ^ 1 << bit);
      EXPECT_EQ(judge_token(token, bytes, other, token.database, now, minute),
                TokenRefusal::wrong_signature);
    }
}

TEST(TenantToken, DatabaseAndTime) {
  TenantToken token = a_token();
  const auto judged = [&token](std::int64_t expiry, const TokenDatabase &database) {
    token.expires_at = expiry;
    return judge_token(token, bytes_of(token), signature_of_sevens(), database, now, minute);
  };
  const TokenDatabase here = token.database;
  EXPECT_EQ(judged(now + minute, here), TokenRefusal::none);
  EXPECT_EQ(judged(now + 1, here), TokenRefusal::none);
  EXPECT_EQ(judged(now, here), TokenRefusal::expired);
  EXPECT_EQ(judged(std::numeric_limits<std::int64_t>::min(), here), TokenRefusal::expired);
  EXPECT_EQ(judged(now + minute + 1, here), TokenRefusal::expires_too_late);
  EXPECT_EQ(judged(std::numeric_limits<std::int64_t>::max(), here), TokenRefusal::expires_too_late);
  for (std::size_t i = 0; i < here.size(); ++i) {
    TokenDatabase other = here;
    other[i] ^= 1;
    EXPECT_EQ(judged(now + 1, other), TokenRefusal::other_database);
  }
}

TEST(TenantToken, EachRefusalIsTold) {
  std::vector<std::string> told;
  for (int i = 0; i <= static_cast<int>(TokenRefusal::expires_too_late); ++i)
    told.emplace_back(describe(static_cast<TokenRefusal>(i)));
  std::ranges::sort(told);
  EXPECT_EQ(std::ranges::adjacent_find(told), told.end());
  EXPECT_EQ(std::ranges::count(told, "unknown"), 0);
}

TEST(TenantToken, EqualInConstantTime) {
  const std::vector<std::uint8_t> left = {1, 2, 3};
  EXPECT_TRUE(equal_in_constant_time(left, left));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(left, std::vector<std::uint8_t>{1, 2}));
  EXPECT_FALSE(equal_in_constant_time(left, std::vector<std::uint8_t>{1, 2, 0x83}));
  EXPECT_FALSE(equal_in_constant_time(left, std::vector<std::uint8_t>{0, 2, 3}));
}

} // namespace
