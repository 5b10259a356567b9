#include "core/check_character.hpp"
#include "core/order_number.hpp"
#include "core/order_number_code.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;
using Slug = std::optional<std::string_view>;

bool matches(std::string_view format, std::string_view number, Slug slug = std::nullopt) {
  return order_number_matches(parse_order_number_template(format), number, slug);
}

TEST(OrderNumberMatch, LiteralsAndCode) {
  EXPECT_TRUE(matches("ORD-{CODE:6}", "ORD-7Z2K9Q"));
  EXPECT_TRUE(matches("ORD-{CODE:6}", "ORD-7Z2K9Q7Z2K9Q")); // grown to twelve
  EXPECT_FALSE(matches("ORD-{CODE:6}", "ORD-7Z2K9Q7Z2K9Q7"));
  EXPECT_FALSE(matches("ORD-{CODE:6}", "ORD-7Z2K9"));
  EXPECT_FALSE(matches("ORD-{CODE:6}", "ORD-7Z2K9U")); // no letter of the alphabet
  EXPECT_FALSE(matches("ORD-{CODE:6}", "ORD-7Z2K9i"));
  EXPECT_FALSE(matches("ORD-{CODE:6}", "ord-7Z2K9Q"));
  EXPECT_FALSE(matches("ORD-{CODE:6}", "XORD-7Z2K9Q"));
  EXPECT_FALSE(matches("ORD-{CODE:6}", ""));
  EXPECT_FALSE(matches("{CODE:6}", std::string_view("7Z2K9\0", 6)));
  EXPECT_FALSE(matches("{CODE:6}", std::string(51, '7')));
  EXPECT_FALSE(matches("{CODE:6}", std::string(1'000'000, '7')));
}

TEST(OrderNumberMatch, Sequence) {
  EXPECT_TRUE(matches("{TENANT}/{SEQ:3}", "A/001"));
  EXPECT_TRUE(matches("{TENANT}/{SEQ:3}", "A/999"));
  EXPECT_TRUE(matches("{TENANT}/{SEQ:3}", "A/1000"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/0999"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/01"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/000"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/-11"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/+11"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ:3}", "A/ 11"));
  EXPECT_TRUE(matches("{TENANT}/{SEQ}", "A/9223372036854775807"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ}", "A/9223372036854775808"));
  EXPECT_FALSE(matches("{TENANT}/{SEQ}", "A/10000000000000000000"));
}

TEST(OrderNumberMatch, Tenant) {
  EXPECT_TRUE(matches("{TENANT}-{SEQ}", "BLUE-SHOP-7", "blue-shop"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "BLUE-SHOP-7", "blue"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "blue-shop-7", "blue-shop"));
  EXPECT_TRUE(matches("{TENANT}-{SEQ}", "BLUE-SHOP-7"));
  EXPECT_TRUE(matches("{TENANT}-{SEQ}", "BLUE_SHOP-7"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "BLUE__SHOP-7"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "_BLUE-7"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "BLUE--7"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "BLU.-7"));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "-7", ""));
  EXPECT_FALSE(matches("{TENANT}-{SEQ}", "-7"));
  EXPECT_TRUE(matches("{TENANT}{SEQ}", "A11", "a1"));
  EXPECT_TRUE(matches("{TENANT}{SEQ}", "A11", "a"));
  EXPECT_TRUE(matches("{TENANT}/{TENANT}{SEQ}", "AB/AB1"));
  EXPECT_FALSE(matches("{TENANT}/{TENANT}{SEQ}", "AB/AC1"));
}

TEST(OrderNumberMatch, DatesExistAndAgree) {
  EXPECT_TRUE(matches("{YYYY}{MM}{DD}{CODE:1}", "20240229X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "20230229X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "19000229X"));
  EXPECT_TRUE(matches("{YYYY}{MM}{DD}{CODE:1}", "20000229X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "20241301X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "20240001X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "20240100X"));
  EXPECT_FALSE(matches("{YYYY}{MM}{DD}{CODE:1}", "20240431X"));
  EXPECT_FALSE(matches("{YYYY}{CODE:1}", "0000X"));
  EXPECT_TRUE(matches("{DDD}{YYYY}{CODE:1}", "3662024X"));
  EXPECT_FALSE(matches("{DDD}{YYYY}{CODE:1}", "3662023X"));
  EXPECT_FALSE(matches("{DDD}{CODE:1}", "367X"));
  EXPECT_FALSE(matches("{DDD}{CODE:1}", "000X"));
  EXPECT_TRUE(matches("{YYYY}{MM}{DDD}{CODE:1}", "202403061X"));  // 1 March of a leap year
  EXPECT_FALSE(matches("{YYYY}{MM}{DDD}{CODE:1}", "202303059X")); // 28 February
  EXPECT_TRUE(matches("{YYYY}{YY}{CODE:1}", "202424X"));
  EXPECT_FALSE(matches("{YYYY}{YY}{CODE:1}", "202425X"));
  EXPECT_FALSE(matches("{YYYY}{YYYY}{CODE:1}", "20242025X"));
  EXPECT_TRUE(matches("{YY}{MM}{DD}{CODE:1}", "000229X")); // 2000 was a leap year
  EXPECT_FALSE(matches("{YY}{MM}{DD}{CODE:1}", "230229X"));
}

TEST(OrderNumberMatch, CheckCharacterIsVerified) {
  EXPECT_TRUE(matches("A1-2425GABC12340{CODE:1}-{CHECK}",
                      "A1-2425GABC123402-" + std::string(1, check_character("A12425GABC123402"))));
  EXPECT_TRUE(matches("A1-{TENANT}-{SEQ:7}-{CHECK}", "A1-2425GABC-1234002-M"));
  EXPECT_FALSE(matches("A1-{TENANT}-{SEQ:7}-{CHECK}", "A1-2425GABC-1234003-M"));
  EXPECT_FALSE(matches("A1-{TENANT}-{SEQ:7}-{CHECK}", "A1-2425GABC-1234002-m"));
}

// An independent model: every way to cut the number into the tokens' pieces, each piece judged by a
// regular expression, the dates by walking through a calendar.
class Model {
public:
  Model(std::vector<std::string> tokens, Slug slug) : tokens_(std::move(tokens)), slug_(slug) {}

  bool accepts(const std::string &number) {
    number_ = number;
    pieces_.clear();
    return number.size() <= 50 && cut(0, 0);
  }

private:
  static const std::regex &expression(const std::string &text) {
    static std::map<std::string, std::regex> known;
    auto found = known.find(text);
    if (found == known.end())
      found = known.emplace(text, std::regex(text)).first;
    return found->second;
  }

  static std::string expression_of(const std::string &token) {
    const std::size_t colon = token.find(':');
    const std::string name = token.substr(1, std::min(colon, token.size() - 1) - 1);
    const std::string width =
        colon == std::string::npos ? "" : token.substr(colon + 1, token.size() - colon - 2);
    if (name == "CODE")
      return "[0-9A-HJKMNP-TV-Z]{" + (width.empty() ? "6" : width) + ",12}";
    if (name == "SEQ") {
      const std::string digits = width.empty() ? "1" : width;
      return "(?=.*[1-9])([0-9]{" + digits + "}|[1-9][0-9]{" + digits + ",18})";
    }
    if (name == "TENANT")
      return "[A-Z0-9]+([-_][A-Z0-9]+)*";
    if (name == "CHECK")
      return "[0-9A-Z]";
    return "[0-9]{" + std::to_string(name.size()) + "}";
  }

  bool fits(const std::string &token, const std::string &piece, std::size_t position) const {
    if (token[0] != '{')
      return piece == token;
    if (!std::regex_match(piece, expression(expression_of(token))))
      return false;
    if (token.starts_with("{SEQ"))
      return piece.size() < 19 || piece <= "9223372036854775807";
    if (token == "{TENANT}") {
      for (std::size_t i = 0; i < pieces_.size(); ++i)
        if (tokens_[i] == token && pieces_[i] != piece)
          return false;
      std::string expected;
      for (const char c : slug_.value_or(""))
        expected += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      return !slug_ || piece == expected;
    }
    if (token == "{CHECK}")
      return piece[0] == check_character(number_.substr(0, position));
    return true;
  }

  bool cut(std::size_t token, std::size_t position) {
    if (token == tokens_.size())
      return position == number_.size() && date_exists();
    for (std::size_t length = 1; position + length <= number_.size(); ++length) {
      const std::string piece = number_.substr(position, length);
      if (!fits(tokens_[token], piece, position))
        continue;
      pieces_.push_back(piece);
      const bool found = cut(token + 1, position + length);
      pieces_.pop_back();
      if (found)
        return true;
    }
    return false;
  }

  bool date_exists() const {
    std::string mask;
    std::string wanted;
    int first_year = 1;
    int last_year = 400; // the calendar repeats after 400 years, and so do the last two digits
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i][0] != '{' || (tokens_[i][1] != 'Y' && tokens_[i] != "{MM}" &&
                                   tokens_[i] != "{DD}" && tokens_[i] != "{DDD}"))
        continue;
      mask += tokens_[i];
      wanted += pieces_[i] + ' ';
      if (tokens_[i] == "{YYYY}")
        first_year = last_year = std::stoi(pieces_[i]);
    }
    if (first_year == 0)
      return false;
    return calendar(mask, first_year, last_year).contains(wanted);
  }

  static const std::set<std::string> &calendar(const std::string &mask, int first, int last) {
    using namespace std::chrono;
    static std::map<std::string, std::set<std::string>> known;
    std::set<std::string> &days = known[mask + std::to_string(first) + '-' + std::to_string(last)];
    if (!days.empty())
      return days;
    for (sys_days day = year(first) / January / 1; day <= sys_days(year(last) / December / 31);
         day += std::chrono::days(1)) {
      const year_month_day date(day);
      const int of_year = static_cast<int>((day - sys_days(date.year() / January / 1)).count()) + 1;
      std::string text;
      for (std::size_t i = 0; i < mask.size(); i = mask.find('}', i) + 1) {
        const std::string name = mask.substr(i + 1, mask.find('}', i) - i - 1);
        const int value = name == "YYYY" ? static_cast<int>(date.year())
                          : name == "YY" ? static_cast<int>(date.year()) % 100
                          : name == "MM" ? static_cast<int>(unsigned(date.month()))
                          : name == "DD" ? static_cast<int>(unsigned(date.day()))
                                         : of_year;
        std::string digits = std::to_string(value);
        text += std::string(name.size() - std::min(name.size(), digits.size()), '0') + digits + ' ';
      }
      days.insert(text);
    }
    return days;
  }

  std::vector<std::string> tokens_;
  Slug slug_;
  std::string number_;
  std::vector<std::string> pieces_;
};

class RandomCase {
public:
  explicit RandomCase(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return random_() % end; }

  std::vector<std::string> tokens() {
    static const std::vector<std::string> pool = {"{YYYY}",   "{YY}", "{MM}", "{DD}", "{DDD}",
                                                  "{TENANT}", "-",    "0",    "A",    "1"};
    std::vector<std::string> result;
    const bool sequence = below(2) == 0;
    if (!sequence || below(3) == 0)
      result.push_back(below(4) == 0 ? "{CODE}" : "{CODE:" + std::to_string(1 + below(8)) + "}");
    if (sequence) {
      result.push_back(below(4) == 0 ? "{SEQ}" : "{SEQ:" + std::to_string(1 + below(6)) + "}");
      result.push_back("{TENANT}");
    }
    for (std::size_t count = below(5); count > 0; --count)
      result.push_back(pool[below(pool.size())]);
    std::shuffle(result.begin(), result.end(), random_);
    if (below(3) == 0)
      result.push_back("{CHECK}");
    return result;
  }

  OrderNumberFields fields(std::string_view slug, const CodeText &code) {
    using namespace std::chrono;
    const sys_days day = sys_days(year(1990) / January / 1) + days(below(20'000));
    const year_month_day date(day);
    OrderNumberFields result;
    result.year = static_cast<int>(date.year());
    result.month = static_cast<int>(unsigned(date.month()));
    result.day = static_cast<int>(unsigned(date.day()));
    result.day_of_year = static_cast<int>((day - sys_days(date.year() / January / 1)).count()) + 1;
    result.slug = slug;
    result.code = code.view();
    result.sequence = static_cast<std::int64_t>(1 + (random_() >> (1 + below(62))) % INT64_MAX);
    return result;
  }

  std::string damaged(std::string number) {
    static const std::string characters = "00112349ABIUZ-_x";
    for (std::size_t count = below(3); count > 0 && !number.empty(); --count) {
      const std::size_t place = below(number.size());
      switch (below(4)) {
      case 0:
        number[place] = characters[below(characters.size())];
        break;
      case 1:
        number.insert(place, 1, characters[below(characters.size())]);
        break;
      case 2:
        number.erase(place, 1);
        break;
      default:
        std::swap(number[place], number[below(number.size())]);
      }
    }
    return number;
  }

private:
  std::mt19937_64 random_;
};

TEST(OrderNumberMatch, AgreesWithAnIndependentModel) {
  RandomCase cases(21);
  const CodeEncoder encoder(CodeKey{});
  const std::vector<std::string> slugs = {"a", "a1", "10", "blue-shop", "0_0"};
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 1'000; ++round) {
    const std::vector<std::string> tokens = cases.tokens();
    std::string text;
    for (const std::string &token : tokens)
      text += token;
    OrderNumberTemplate format;
    const std::string &slug = slugs[cases.below(slugs.size())];
    try {
      format = parse_order_number_template(text);
      require_order_number_fits(format, slug.size());
    } catch (const std::exception &) {
      continue; // too long, or {CHECK} after nothing
    }
    const CodeText code =
        encoder.encode(cases.below(100'000), std::max<unsigned>(1, format.code_width));
    const OrderNumber number = render_order_number(format, cases.fields(slug, code));
    ASSERT_TRUE(order_number_matches(format, number.view(), slug)) << text << " " << number.view();
    ASSERT_TRUE(order_number_matches(format, number.view(), std::nullopt))
        << text << " " << number.view();
    for (const bool slug_known : {true, false}) {
      const Slug known = slug_known ? Slug(slug) : std::nullopt;
      Model model(tokens, known);
      for (int i = 0; i < 6; ++i) {
        const std::string candidate = cases.damaged(std::string(number.view()));
        const bool expected = model.accepts(candidate);
        ASSERT_EQ(order_number_matches(format, candidate, known), expected)
            << text << " " << candidate << " " << known.value_or("?");
        ++(expected ? accepted : refused);
      }
    }
  }
  EXPECT_GT(accepted, 1'500);
  EXPECT_GT(refused, 1'500);
}

} // namespace
