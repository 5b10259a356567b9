// Key files: what is read from them, and what is refused.

#include "core/error.hpp"
#include "core/key_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace {

using namespace brainsait::core;

// The reason for which a key file is refused, or "taken".
template <typename Keys = TokenKeys> std::string outcome(const std::string &text) {
  try {
    Keys keys;
    parse_key_file(text, keys);
    return "taken";
  } catch (const Error &error) {
    return error.what();
  }
}

TEST(KeyFile, AFile) {
  std::string first;
  for (int i = 0; i < 32; ++i)
    first += "aB";
  const std::string text = "# keys of the shop\r\n\n  7\t" + first + "  \r\n2147483647 " +
                           std::string(128, '0') + "\n   # the end";
  TokenKeys keys;
  parse_key_file(text, keys);
  ASSERT_EQ(keys.count, 2U);
  EXPECT_EQ(keys.keys[0].id, 7U);
  EXPECT_EQ(keys.keys[0].size, 32U);
  EXPECT_EQ(std::ranges::count(keys.keys[0].secret(), 0xAB), 32);
  EXPECT_EQ(keys.find(2147483647), &keys.keys[1]);
  EXPECT_EQ(keys.keys[1].size, 64U);
  EXPECT_EQ(keys.find(8), nullptr);
  EXPECT_EQ(TokenKeys().find(0), nullptr);
}

TEST(KeyFile, WhatIsRefused) {
  const std::string key(64, 'a');
  EXPECT_EQ(outcome("1 " + key), "taken");
  EXPECT_EQ(outcome(""), "there is no key");
  EXPECT_EQ(outcome("\n# 1 " + key + "\n"), "there is no key");
  EXPECT_EQ(outcome("\n1 " + key + " x"), "line 2: there is more than an id and a key");
  for (const char *id : {"0", "-1", "+1", "x", "1x", "0x1", "2147483648", "4294967297",
                         "99999999999999999999", "1.0"})
    EXPECT_EQ(outcome(std::string(id) + " " + key),
              "line 1: the key id is not a number from 1 to 2147483647")
        << id;
  for (const std::size_t length : {0, 2, 62, 63, 65, 127, 129, 130, 4096})
    EXPECT_EQ(outcome("1 " + std::string(length, 'a')),
              "line 1: a key has 64 to 128 hexadecimal digits")
        << length;
  for (const char wrong : {'g', 'G', '@', '`', '/', ':', '-', '\0', '\xe9'})
    for (const std::size_t place : {0, 1, 63}) {
      std::string bad = key;
      bad[place] = wrong;
      EXPECT_EQ(outcome("1 " + bad), "line 1: a key is written in hexadecimal digits") << wrong;
    }
  EXPECT_EQ(outcome("1 " + key + "\n01 " + key), "line 2: the key id stands there already");
  EXPECT_EQ(outcome("1 " + key + "\n2 " + key + "\n3 " + key),
            "line 3: there are more than 2 keys");
  // What follows an id that is there already is not looked at.
  EXPECT_EQ(outcome("1 " + key + "\n1 short"), "line 2: the key id stands there already");
}

TEST(KeyFile, OfCredentials) {
  std::string text;
  for (int id = 16; id > 0; --id)
    text += std::to_string(id) + " " + std::string(62, '0') + (id < 10 ? "0" : "1") +
            std::to_string(id % 10) + "\n";
  CredentialKeys keys;
  parse_key_file(text, keys);
  ASSERT_EQ(keys.count, 16U);
  EXPECT_EQ(keys.keys[0].id, 16U);
  EXPECT_EQ(keys.keys[0].secret().back(), 0x16);
  EXPECT_EQ(keys.find(1), &keys.keys[15]);
  EXPECT_EQ(outcome<CredentialKeys>(text + "17 " + std::string(64, '0')),
            "line 17: there are more than 16 keys");
  for (const std::size_t length : {62, 66, 128})
    EXPECT_EQ(outcome<CredentialKeys>("1 " + std::string(length, 'a')),
              "line 1: a key has 64 hexadecimal digits")
        << length;
}

TEST(KeyFile, WhatIsRefusedLeavesNoKey) {
  TokenKeys keys;
  EXPECT_THROW(parse_key_file("1 " + std::string(64, 'a') + "\n2 x", keys), Error);
  EXPECT_EQ(keys.count, 0U);
  EXPECT_EQ(keys.find(1), nullptr);
}

} // namespace
