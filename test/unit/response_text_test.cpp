#include "core/response_text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace brainsait::core;

std::string cleaned(std::string_view bytes) { return clean_utf8(bytes, 4096); }

TEST(ResponseText, TextStays) {
  EXPECT_EQ(cleaned(""), "");
  EXPECT_EQ(cleaned("ok\n"), "ok\n");
  EXPECT_EQ(cleaned("قهوة ☕ 😀 \x7F"), "قهوة ☕ 😀 \x7F");
  EXPECT_EQ(cleaned("\uD7FF\uE000\uFFFF\U00010000\U0010FFFF"),
            "\uD7FF\uE000\uFFFF\U00010000\U0010FFFF");
}

TEST(ResponseText, ZeroBytes) {
  EXPECT_EQ(cleaned(std::string_view("a\0b\0", 4)), "a\uFFFDb\uFFFD");
}

// Unicode 15, tables 3-8 to 3-11.
TEST(ResponseText, MaximalSubparts) {
  EXPECT_EQ(cleaned("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(cleaned("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(cleaned("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41\uFFFD\uFFFD\x42");
  EXPECT_EQ(cleaned("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
}

TEST(ResponseText, NoHalfCharacterAtTheEnd) {
  EXPECT_EQ(clean_utf8("aé", 1), "a");
  EXPECT_EQ(clean_utf8("aé", 2), "a");
  EXPECT_EQ(clean_utf8("aé", 3), "aé");
  EXPECT_EQ(clean_utf8("\xFF\xFF", 5), "\uFFFD");
  EXPECT_EQ(clean_utf8("\xF0\x9F\x98", 16), "\uFFFD");
  EXPECT_EQ(clean_utf8("anything", 0), "");
}

TEST(ResponseText, OtherEncodingsGetAscii) {
  EXPECT_EQ(clean_ascii(std::string_view("a\0é\xFF~", 6), 100), "a????~");
  EXPECT_EQ(clean_ascii("abcdef", 3), "abc");
}

} // namespace
