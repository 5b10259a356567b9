#include "core/order_number_template.hpp"

#include "core/error.hpp"
#include "core/order_number_code.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace brainsait::core {
namespace {

using Kind = OrderNumberPartKind;

constexpr unsigned max_sequence_width = 18;
constexpr unsigned longest_sequence = std::numeric_limits<std::int64_t>::digits10 + 1;
static_assert(longest_sequence == 19 && longest_sequence >= max_sequence_width);

struct Token {
  std::string_view name;
  Kind kind;
  unsigned default_width; ///< of those that take a width; 0 for the others
  unsigned max_width;
};

constexpr std::array<Token, 9> tokens = {{
    {"YYYY", Kind::year, 0, 0},
    {"YY", Kind::short_year, 0, 0},
    {"MM", Kind::month, 0, 0},
    {"DD", Kind::day, 0, 0},
    {"DDD", Kind::day_of_year, 0, 0},
    {"CODE", Kind::code, 6, max_code_width},
    {"SEQ", Kind::sequence, 1, max_sequence_width},
    {"TENANT", Kind::tenant, 0, 0},
    {"CHECK", Kind::check, 0, 0},
}};

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Part of a format as it may stand in a message: short, and ASCII whatever the format holds.
std::string shown(std::string_view text) {
  constexpr std::size_t limit = 40;
  std::string result(text.substr(0, limit));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return !is_printable(c); }, '?');
  if (text.size() > limit)
    result += "...";
  return result;
}

[[noreturn]] void refuse(const std::string &message, const std::string &hint = {}) {
  throw Error(ErrorKind::invalid_parameter, "order number format: " + message, hint);
}

unsigned parse_width(std::string_view digits, const Token &token, std::string_view whole) {
  unsigned width = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
  const bool canonical =
      error == std::errc() && end == digits.data() + digits.size() && digits.front() != '0';
  if (!canonical || width > token.max_width)
    refuse("the width in " + shown(whole) + " is not a number from 1 to " +
           std::to_string(token.max_width));
  return width;
}

/// Parses "{NAME}" or "{NAME:width}".
OrderNumberPart parse_token(std::string_view whole) {
  const std::string_view inside = whole.substr(1, whole.size() - 2);
  const std::size_t colon = inside.find(':');
  const std::string_view name = inside.substr(0, colon);
  const auto *token = std::find_if(tokens.begin(), tokens.end(),
                                   [&](const Token &known) { return known.name == name; });
  if (token == tokens.end())
    refuse("unknown token " + shown(whole),
           "Tokens are {YYYY} {YY} {MM} {DD} {DDD} {CODE:n} {SEQ:n} {TENANT} {CHECK}.");
  unsigned width = token->default_width;
  if (colon != std::string_view::npos) {
    if (token->max_width == 0)
      refuse(shown(whole) + " takes no width");
    width = parse_width(inside.substr(colon + 1), *token, whole);
  }
  return {token->kind, static_cast<std::uint8_t>(width), '\0'};
}

/// Characters of a part whose length is the same in every number; 0 for the others.
unsigned fixed_length(const OrderNumberPart &part) noexcept {
  switch (part.kind) {
  case Kind::year:
    return 4;
  case Kind::day_of_year:
    return 3;
  case Kind::short_year:
  case Kind::month:
  case Kind::day:
    return 2;
  case Kind::literal:
  case Kind::check:
    return 1;
  case Kind::code:
  case Kind::sequence:
  case Kind::tenant:
    break;
  }
  return 0;
}

std::size_t longest_length(const OrderNumberTemplate &format, std::size_t slug_length) noexcept {
  return format.other_length + format.tenant_count * slug_length +
         (format.has_code() ? max_code_width : 0) + (format.has_sequence() ? longest_sequence : 0);
}

[[noreturn]] void refuse_length() {
  refuse("the longest number has over 50 characters",
         "{SEQ} counts 19 characters, {CODE} 12 and {TENANT} as many as the tenant's slug.");
}

bool any_of_kind(const OrderNumberTemplate &format, Kind kind) {
  return std::any_of(format.begin(), format.end(),
                     [&](const OrderNumberPart &part) { return part.kind == kind; });
}

/// Collects parts and keeps the rules that concern their order and number.
class Builder {
public:
  void add(const OrderNumberPart &part, std::string_view whole) {
    require_single(part, whole);
    if (part.kind == Kind::check && !alphanumeric_seen_)
      refuse("{CHECK} has neither letter nor digit before it");
    alphanumeric_seen_ |= part.kind != Kind::literal || is_alphanumeric(part.character);
    if (result_.part_count == max_order_number_length)
      refuse_length();
    result_.parts[result_.part_count++] = part;
    // At most 50 parts of at most 4 characters: no overflow.
    result_.other_length = static_cast<std::uint8_t>(result_.other_length + fixed_length(part));
    if (part.kind == Kind::code)
      result_.code_width = part.width;
    if (part.kind == Kind::sequence)
      result_.sequence_width = part.width;
    if (part.kind == Kind::tenant)
      ++result_.tenant_count;
  }

  OrderNumberTemplate finish() const {
    if (!result_.has_code() && !result_.has_sequence())
      refuse("it has neither {CODE} nor {SEQ}", "Without one of them numbers would repeat.");
    if (result_.has_sequence() && result_.tenant_count == 0)
      refuse("{SEQ} without {TENANT}",
             "Every tenant counts from 1, and numbers are unique across tenants.");
    require_order_number_fits(result_, 1);
    return result_;
  }

private:
  void require_single(const OrderNumberPart &part, std::string_view whole) const {
    const bool single =
        part.kind == Kind::code || part.kind == Kind::sequence || part.kind == Kind::check;
    if (single && any_of_kind(result_, part.kind))
      refuse(shown(whole) + " is the second of its kind");
  }

  OrderNumberTemplate result_;
  bool alphanumeric_seen_ = false;
};

} // namespace

OrderNumberTemplate parse_order_number_template(std::string_view format) {
  Builder builder;
  while (!format.empty()) {
    const char first = format.front();
    std::size_t length = 1;
    if (first == '{') {
      length = format.find_first_of("{}", 1);
      if (length == std::string_view::npos || format[length] == '{')
        refuse("no closing brace after " + shown(format.substr(0, length)));
      ++length;
      const std::string_view whole = format.substr(0, length);
      builder.add(parse_token(whole), whole);
    } else if (first == '}') {
      refuse("no opening brace before " + shown(format));
    } else if (!is_printable(first)) {
      refuse("literal text must be printable ASCII, unlike what starts at " + shown(format));
    } else {
      builder.add({Kind::literal, 0, first}, format.substr(0, 1));
    }
    format.remove_prefix(length);
  }
  return builder.finish();
}

void require_order_number_fits(const OrderNumberTemplate &format, std::size_t slug_length) {
  if (longest_length(format, slug_length) > max_order_number_length)
    refuse_length();
}

OrderNumberReset parse_order_number_reset(std::string_view reset) {
  if (reset == "never")
    return OrderNumberReset::never;
  if (reset == "year")
    return OrderNumberReset::year;
  if (reset == "month")
    return OrderNumberReset::month;
  if (reset == "day")
    return OrderNumberReset::day;
  throw Error(ErrorKind::invalid_parameter, "unknown order number reset \"" + shown(reset) + "\"",
              "It is one of never, year, month and day.");
}

void require_order_number_reset(const OrderNumberTemplate &format, OrderNumberReset reset) {
  const auto has = [&](Kind kind) { return any_of_kind(format, kind); };
  if (reset == OrderNumberReset::never)
    return;
  if (!has(Kind::year) && !has(Kind::short_year))
    refuse("a reset by year, month or day needs {YYYY} or {YY}");
  if (has(Kind::day_of_year) || reset == OrderNumberReset::year)
    return;
  if (!has(Kind::month))
    refuse("a reset by month or day needs {MM} or {DDD}");
  if (reset == OrderNumberReset::day && !has(Kind::day))
    refuse("a reset by day needs {DD} or {DDD}");
}

} // namespace brainsait::core
