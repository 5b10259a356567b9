#include "core/check_character.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <tuple>

namespace {

using brainsait::core::check_character;

const std::string alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The standard's own test of a string that ends in its check character: congruent to 1 (mod 36).
bool holds(const std::string &text) {
  int product = 36;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    int sum = (product + static_cast<int>(alphabet.find(text[i]))) % 36;
    product = (sum == 0 ? 36 : sum) * 2 % 37;
  }
  return (product + static_cast<int>(alphabet.find(text.back()))) % 36 == 1;
}

std::string random_text(std::mt19937 &random, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i)
    text += alphabet[random() % 36];
  return text;
}

TEST(CheckCharacter, PublishedExamples) {
  // GRid Handbook (IFPI): A1-2425GABC1234002-M.
  EXPECT_EQ(check_character("A12425GABC1234002"), 'M');
  // EIDR's example in its identifier format document: 10.5240/7791-8534-2C23-9030-8610-5.
  EXPECT_EQ(check_character("7791-8534-2C23-9030-8610"), '5');
  // ISAN: 0000-0001-8947-0000-8-0000-0000-D and 0000-0000-D07A-0090-Q-0000-0000-X: one character
  // over the first sixteen, one over these and the version, the first check character left out.
  EXPECT_EQ(check_character("0000-0001-8947-0000"), '8');
  EXPECT_EQ(check_character("0000-0001-8947-0000-0000-0000"), 'D');
  EXPECT_EQ(check_character("0000-0000-D07A-0090"), 'Q');
  EXPECT_EQ(check_character("0000-0000-D07A-0090-0000-0000"), 'X');
}

TEST(CheckCharacter, LooksAtLettersAndDigitsOnly) {
  EXPECT_EQ(check_character("a1-2425gabc/1234 002-"), 'M');
  EXPECT_EQ(check_character("\x01\xff"), check_character(""));
}

TEST(CheckCharacter, EverySubstitutionIsCaught) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string text = random_text(random, 1 + random() % 30);
    text += check_character(text);
    ASSERT_TRUE(holds(text));
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (const char other : alphabet) {
        if (other == text[i])
          continue;
        std::string wrong = text;
        wrong[i] = other;
        ASSERT_FALSE(holds(wrong)) << text << " and " << wrong;
        ASSERT_NE(check_character(wrong.substr(0, wrong.size() - 1)), wrong.back());
      }
    }
  }
}

// ISO 7064 itself does not catch every transposition of neighbours. All that the characters before
// a pair do is to leave a product p from 1 to 36, so 36 * 36 * 36 cases are all there are: for each
// p the standard misses the pair {18 - p, 19 - p} (mod 36), in both orders, and no other.
TEST(CheckCharacter, MissesExactlyTheTranspositionsThatTheStandardMisses) {
  // A one-character text for each product: p = 2 * value (mod 37), or 2 * 36 for the value 0.
  std::array<char, 37> text_of_product{};
  for (int value = 0; value < 36; ++value)
    text_of_product[static_cast<std::size_t>((value == 0 ? 36 : value) * 2 % 37)] =
        alphabet[static_cast<std::size_t>(value)];

  std::set<std::tuple<int, int, int>> missed;
  std::set<std::tuple<int, int, int>> expected;
  for (int product = 1; product <= 36; ++product) {
    const char before = text_of_product[static_cast<std::size_t>(product)];
    ASSERT_NE(before, '\0');
    for (int a = 0; a < 36; ++a) {
      for (int b = 0; b < 36; ++b) {
        const char first = alphabet[static_cast<std::size_t>(a)];
        const char second = alphabet[static_cast<std::size_t>(b)];
        if (a != b && check_character(std::string{before, first, second}) ==
                          check_character(std::string{before, second, first}))
          missed.emplace(product, a, b);
      }
    }
    const int low = (18 - product + 36) % 36;
    const int high = (19 - product + 36) % 36;
    expected.emplace(product, low, high);
    expected.emplace(product, high, low);
  }
  EXPECT_EQ(missed, expected);
  EXPECT_EQ(missed.size(), 72U); // of 36 * 36 * 35 = 45360: one in 630
}

// A check character swapped with its neighbour goes unseen only for 0 and 1 after the product 18.
TEST(CheckCharacter, MissesTwoTranspositionsWithTheCheckCharacter) {
  std::set<std::string> missed;
  for (const char before : alphabet) {
    for (const char last : alphabet) {
      std::string text{before, last};
      const char check = check_character(text);
      if (check != last && holds(std::string{before, check, last}))
        missed.insert(text + check);
    }
  }
  EXPECT_EQ(missed, (std::set<std::string>{"901", "910"}));
}

TEST(CheckCharacter, TranspositionsInRandomTexts) {
  std::mt19937 random(12);
  int swaps = 0;
  int missed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = random_text(random, 2 + random() % 20);
    text += check_character(text);
    for (std::size_t i = 0; i + 2 < text.size(); ++i) {
      if (text[i] == text[i + 1])
        continue;
      std::string wrong = text;
      std::swap(wrong[i], wrong[i + 1]);
      ++swaps;
      if (!holds(wrong))
        continue;
      ++missed;
      const auto a = static_cast<int>(alphabet.find(text[i]));
      const auto b = static_cast<int>(alphabet.find(text[i + 1]));
      ASSERT_TRUE((a - b + 36) % 36 == 1 || (b - a + 36) % 36 == 1) << text << " and " << wrong;
    }
  }
  EXPECT_NEAR(missed, swaps / 630.0, 6 * 18);
}

} // namespace
