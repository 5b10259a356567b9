#include "core/error.hpp"
#include "core/order_number.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace brainsait::core;

/// What parsing or checking says; empty where it accepts.
template <typename Body> std::string refusal(Body &&body) {
  try {
    body();
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_parameter);
    return error.what();
  }
  return {};
}

std::string refusal_of(std::string_view format) {
  return refusal([&] { parse_order_number_template(format); });
}

std::string reset_refusal(std::string_view format, std::string_view reset) {
  return refusal([&] {
    require_order_number_reset(parse_order_number_template(format),
                               parse_order_number_reset(reset));
  });
}

TEST(OrderNumberTemplate, AcceptsEveryToken) {
  const OrderNumberTemplate format = parse_order_number_template("A{YY}-{TENANT}{SEQ:6}{CHECK}");
  ASSERT_EQ(format.part_count, 6);
  EXPECT_EQ(format.parts[0].kind, OrderNumberPartKind::literal);
  EXPECT_EQ(format.parts[0].character, 'A');
  EXPECT_EQ(format.parts[1].kind, OrderNumberPartKind::short_year);
  EXPECT_EQ(format.parts[3].kind, OrderNumberPartKind::tenant);
  EXPECT_EQ(format.parts[4].kind, OrderNumberPartKind::sequence);
  EXPECT_EQ(format.sequence_width, 6);
  EXPECT_FALSE(format.has_code());
  EXPECT_EQ(format.parts[5].kind, OrderNumberPartKind::check);
  EXPECT_EQ(format.other_length, 5);

  EXPECT_EQ(parse_order_number_template("{CODE}").code_width, 6);
  EXPECT_EQ(parse_order_number_template("{CODE:1}").code_width, 1);
  EXPECT_EQ(parse_order_number_template("{CODE:12}").code_width, 12);
  EXPECT_EQ(parse_order_number_template("{TENANT}{SEQ}").sequence_width, 1);
  EXPECT_EQ(parse_order_number_template("{SEQ:18}{TENANT}").sequence_width, 18);
  EXPECT_EQ(parse_order_number_template("{YYYY}{YY}{MM}{DD}{DDD}{CODE}").other_length, 13);
  EXPECT_EQ(parse_order_number_template(" ~{CODE}").part_count, 3);
}

TEST(OrderNumberTemplate, RefusalsNameTheToken) {
  const std::string prefix = "order number format: ";
  EXPECT_EQ(refusal_of("X{FOO}{CODE}"), prefix + "unknown token {FOO}");
  EXPECT_EQ(refusal_of("{}{CODE}"), prefix + "unknown token {}");
  EXPECT_EQ(refusal_of("{code}"), prefix + "unknown token {code}");
  EXPECT_EQ(refusal_of("{ CODE}"), prefix + "unknown token { CODE}");
  EXPECT_EQ(refusal_of("{:6}"), prefix + "unknown token {:6}");
  EXPECT_EQ(refusal_of("{CODE:0}"), prefix + "the width in {CODE:0} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:13}"),
            prefix + "the width in {CODE:13} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:06}"),
            prefix + "the width in {CODE:06} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:}"), prefix + "the width in {CODE:} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:-1}"),
            prefix + "the width in {CODE:-1} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:6x}"),
            prefix + "the width in {CODE:6x} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{CODE:99999999999999999999}"),
            prefix + "the width in {CODE:99999999999999999999} is not a number from 1 to 12");
  EXPECT_EQ(refusal_of("{TENANT}{SEQ:19}"),
            prefix + "the width in {SEQ:19} is not a number from 1 to 18");
  EXPECT_EQ(refusal_of("{YYYY:4}{CODE}"), prefix + "{YYYY:4} takes no width");
  EXPECT_EQ(refusal_of("A{CODE"), prefix + "no closing brace after {CODE");
  EXPECT_EQ(refusal_of("{CODE{CODE}"), prefix + "no closing brace after {CODE");
  EXPECT_EQ(refusal_of("{CODE}{"), prefix + "no closing brace after {");
  EXPECT_EQ(refusal_of("A}B{CODE}"), prefix + "no opening brace before }B{CODE}");
  EXPECT_EQ(refusal_of(""), prefix + "it has neither {CODE} nor {SEQ}");
  EXPECT_EQ(refusal_of("ORD-{YYYY}"), prefix + "it has neither {CODE} nor {SEQ}");
  EXPECT_EQ(refusal_of("ORD-{SEQ}"), prefix + "{SEQ} without {TENANT}");
  EXPECT_EQ(refusal_of("{CODE}{CODE:3}"), prefix + "{CODE:3} is the second of its kind");
  EXPECT_EQ(refusal_of("{TENANT}{SEQ}{SEQ}"), prefix + "{SEQ} is the second of its kind");
  EXPECT_EQ(refusal_of("{CODE}{CHECK}{CHECK}"), prefix + "{CHECK} is the second of its kind");
  EXPECT_EQ(refusal_of("-{CHECK}{CODE}"),
            prefix + "{CHECK} has neither letter nor digit before it");
  EXPECT_EQ(refusal_of("x{CHECK}{CODE}"), "");
  EXPECT_EQ(refusal_of("A\tB{CODE}"),
            prefix + "literal text must be printable ASCII, unlike what starts at ?B{CODE}");
  EXPECT_EQ(refusal_of(std::string_view("{CODE}\0", 7)),
            prefix + "literal text must be printable ASCII, unlike what starts at ?");
  // What a message shows is ASCII and short, whatever the format holds.
  EXPECT_EQ(refusal_of("{\xd8\xb1}{CODE}"), prefix + "unknown token {??}");
  EXPECT_EQ(refusal_of("{" + std::string(10'000, 'A') + "}"),
            prefix + "unknown token {" + std::string(39, 'A') + "...");
}

TEST(OrderNumberTemplate, LongestNumberHasFiftyCharacters) {
  const std::string too_long = "order number format: the longest number has over 50 characters";
  EXPECT_EQ(refusal_of(std::string(38, 'A') + "{CODE:1}"), "");
  EXPECT_EQ(refusal_of(std::string(39, 'A') + "{CODE:1}"), too_long);
  EXPECT_EQ(refusal_of(std::string(30, 'A') + "{TENANT}{SEQ}"), "");
  EXPECT_EQ(refusal_of(std::string(31, 'A') + "{TENANT}{SEQ}"), too_long);
  EXPECT_EQ(refusal_of(std::string(100'000, 'A')), too_long);
  std::string years = "{CODE}";
  for (int i = 0; i < 9; ++i)
    years += "{YYYY}";
  EXPECT_EQ(refusal_of(years), "");
  EXPECT_EQ(refusal_of(years + "--"), "");
  EXPECT_EQ(refusal_of(years + "---"), too_long);

  const OrderNumberTemplate format = parse_order_number_template("{TENANT}-{TENANT}-{SEQ:4}");
  const auto with_slug = [&](std::size_t length) {
    return refusal([&] { require_order_number_fits(format, length); });
  };
  EXPECT_EQ(with_slug(14), "");
  EXPECT_EQ(with_slug(15), too_long);
}

TEST(OrderNumberTemplate, ResetsNeedTheirTokens) {
  const std::string year =
      "order number format: a reset by year, month or day needs {YYYY} or {YY}";
  const std::string month = "order number format: a reset by month or day needs {MM} or {DDD}";
  const std::string day = "order number format: a reset by day needs {DD} or {DDD}";
  const std::string sequence = "{TENANT}{SEQ}";
  for (const char *reset : {"never", "year", "month", "day"}) {
    const bool never = std::string(reset) == "never";
    EXPECT_EQ(reset_refusal(sequence, reset), never ? "" : year);
    EXPECT_EQ(reset_refusal(sequence + "{MM}{DD}{DDD}", reset), never ? "" : year);
    EXPECT_EQ(reset_refusal(sequence + "{YY}{DDD}", reset), "");
    EXPECT_EQ(reset_refusal(sequence + "{YYYY}{MM}{DD}", reset), "");
  }
  EXPECT_EQ(reset_refusal(sequence + "{YY}", "year"), "");
  EXPECT_EQ(reset_refusal(sequence + "{YYYY}", "month"), month);
  EXPECT_EQ(reset_refusal(sequence + "{YYYY}{DD}", "month"), month);
  EXPECT_EQ(reset_refusal(sequence + "{YYYY}{DD}", "day"), month);
  EXPECT_EQ(reset_refusal(sequence + "{YYYY}{MM}", "month"), "");
  EXPECT_EQ(reset_refusal(sequence + "{YYYY}{MM}", "day"), day);
  EXPECT_EQ(reset_refusal(sequence, "weekly"), "unknown order number reset \"weekly\"");
  EXPECT_EQ(reset_refusal(sequence, "Year"), "unknown order number reset \"Year\"");
  EXPECT_EQ(reset_refusal(sequence, ""), "unknown order number reset \"\"");
}

std::string rendered(std::string_view format, const OrderNumberFields &fields) {
  return std::string(render_order_number(parse_order_number_template(format), fields).view());
}

TEST(OrderNumberRendering, WritesEveryToken) {
  OrderNumberFields fields;
  fields.year = 2024;
  fields.month = 2;
  fields.day = 9;
  fields.day_of_year = 40;
  fields.slug = "blue-shop1";
  fields.code = "7Z2K9Q";
  fields.sequence = 42;
  EXPECT_EQ(rendered("ORD-{YYYY}{MM}{DD}-{CODE:6}", fields), "ORD-20240209-7Z2K9Q");
  EXPECT_EQ(rendered("{YY}/{DDD}/{TENANT}/{SEQ:6}", fields), "24/040/BLUE-SHOP1/000042");
  EXPECT_EQ(rendered("{TENANT}{SEQ}", fields), "BLUE-SHOP142");
  EXPECT_EQ(rendered("A1-2425GABC1234002-{CHECK}{CODE}", fields), "A1-2425GABC1234002-M7Z2K9Q");
  fields.year = 3;
  fields.sequence = INT64_MAX;
  EXPECT_EQ(rendered("{YYYY} {YY} {TENANT}{SEQ:18}", fields),
            "0003 03 BLUE-SHOP19223372036854775807");
}

TEST(OrderNumberRendering, RefusesMoreThanFiftyCharacters) {
  OrderNumberFields fields;
  const std::string slug(49, 'a');
  fields.slug = slug;
  fields.sequence = 9;
  EXPECT_EQ(rendered("{TENANT}{SEQ}", fields), std::string(49, 'A') + "9");
  fields.sequence = 10;
  try {
    rendered("{TENANT}{SEQ}", fields);
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit_exceeded);
  }
}

} // namespace
