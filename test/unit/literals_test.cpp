// What of a statement is starred before the server's log shows it.

#include "core/literals.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace {

using namespace brainsait::core;

std::string starred(std::string text) {
  star_literals(text);
  return text;
}

TEST(StarLiterals, ConstantsInQuotes) {
  EXPECT_EQ(starred("SELECT 1, 'ab', b'01', \"it's\", ''"), "SELECT 1, '**', b'**', \"it's\", ''");
  EXPECT_EQ(starred("'a''b' || 'c'"), "'****' || '*'");
  EXPECT_EQ(starred("E'a\\'b' || 'c'"), "E'****' || '*'");
  EXPECT_EQ(starred("e'\\\\' || 'c'"), "e'**' || '*'");
  EXPECT_EQ(starred("'a\\' || 'c'"), "'**' || '*'") << "no escape without E";
  EXPECT_EQ(starred("some'a\\' || 'c'"), "some'**' || '*'") << "a name that ends in e";
  EXPECT_EQ(starred("parameters: $1 = '{\"k\": 1}', $2 = NULL, $3 = 'x'"),
            "parameters: $1 = '********', $2 = NULL, $3 = '*'");
  EXPECT_EQ(starred("INSERT 'cut sho"), "INSERT '*******");
  EXPECT_EQ(starred("INSERT '"), "INSERT '");
  EXPECT_EQ(starred("E'\\"), "E'*");
  EXPECT_EQ(starred(""), "");
}

TEST(StarLiterals, DollarQuotes) {
  EXPECT_EQ(starred("DO $$ 'x' $$ y"), "DO $$*****$$ y");
  EXPECT_EQ(starred("$a$ $$ ' $b$ $a$ 'c'"), "$a$**********$a$ '*'") << "one in the other";
  EXPECT_EQ(starred("$1 $2'x'"), "$1 $2'*'");
  EXPECT_EQ(starred("a$b$c'x'$b$"), "a$b$c'*'$b$") << "inside a name";
  EXPECT_EQ(starred("$x$ never ended"), "$x$************");
}

TEST(StarLiterals, CommentsAndNames) {
  EXPECT_EQ(starred("-- it's\n'x'"), "-- it's\n'*'");
  EXPECT_EQ(starred("/* it's /* don't */ ' */ 'x'"), "/* it's /* don't */ ' */ '*'");
  EXPECT_EQ(starred("\"a'\" 'x' \"b"), "\"a'\" '*' \"b");
  EXPECT_EQ(starred("1 - -2 / 3 'x'"), "1 - -2 / 3 '*'");
}

// Statements put together at random: no constant's text is left, and what is no constant is.
TEST(StarLiterals, NothingIsLeft) {
  std::mt19937 random(5);
  const char *pieces[] = {"'SECRET'", "'SEC''RET'", "E'\\'SECRET'", "$$SECRET'$$",
                          "$q$SECRET$$$q$"};
  const char *between[] = {" kept ",         ", ",         "::jsonb, ", " -- it's kept\n",
                           " /* ' kept */ ", " \"ke'pt\" "};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 6; ++i)
      text.append(pieces[random() % 5]).append(between[random() % 6]);
    const std::string found = starred(text);
    EXPECT_EQ(found.find("SEC"), std::string::npos) << text;
    EXPECT_EQ(found.find("RET"), std::string::npos) << text;
    EXPECT_EQ(found.size(), text.size());
  }
}

TEST(StarQuoted, WhatMessagesQuote) {
  std::string text = R"(Token "sk_live" is invalid: "x)";
  star_quoted(text);
  EXPECT_EQ(text, R"(Token "*******"*************"*)");
}

TEST(Statements, ThatMayWriteCredentials) {
  for (const char *statement :
       {"INSERT INTO integrations VALUES", "insert into shop.WebHooks (url)", "UPDATE webhooks SET",
        "COPY integrations FROM STDIN", "MERGE INTO webhooks", "SELECT secret FROM webhooks",
        "PREPARE x AS Insert Into \"integrations\""})
    EXPECT_TRUE(may_write_credentials(statement)) << statement;
  for (const char *statement :
       {"", "SELECT id FROM webhooks", "INSERT INTO orders", "UPDATE webhook_deliveries SET",
        "SELECT * FROM integration", "SELECT 'secret'"})
    EXPECT_FALSE(may_write_credentials(statement)) << statement;
}

} // namespace
