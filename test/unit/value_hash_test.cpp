#include "core/value_hash.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace {

using namespace brainsait::core;

std::uint64_t hash_text(std::string_view text) {
  return hash_bytes({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

// As the program xxhsum -H1 prints them.
TEST(ValueHash, Xxh64AsItsAuthorsProgram) {
  EXPECT_EQ(hash_text(""), 0xef46db3751d8e999U);
  EXPECT_EQ(hash_text("a"), 0xd24ec4f1a98c6e5bU);
  EXPECT_EQ(hash_text("abc"), 0x44bc2cf5ad770999U);
  EXPECT_EQ(hash_text("عسل"), 0x5291629eea234a59U);
  EXPECT_EQ(hash_text("The quick brown fox jumps over the lazy dog"), 0x0b242d361fda71bcU);
  EXPECT_EQ(
      hash_text("12345678901234567890123456789012345678901234567890123456789012345678901234567"
                "890"),
      0xe04a477f19ee145dU);
}

// The outputs of SplitMix64 from the state 1234567 that implementations are commonly compared by.
TEST(ValueHash, Mix64IsSplitMix64) {
  std::uint64_t state = 1234567;
  for (std::uint64_t expected :
       {6457827717110365317U, 3203168211198807973U, 9817491932198370423U}) {
    EXPECT_EQ(mix64(state), expected);
    state += 0x9e3779b97f4a7c15U;
  }
}

} // namespace
