#include "core/order_number.hpp"

#include "core/check_character.hpp"
#include "core/error.hpp"
#include "core/order_number_code.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace brainsait::core {
namespace {

using Kind = OrderNumberPartKind;

constexpr char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

class Writer {
public:
  void put(char c) {
    if (number_.length == max_order_number_length)
      throw Error(ErrorKind::limit_exceeded, "order number has over 50 characters",
                  "Shorten the order number format, or the tenant's slug.");
    number_.characters[number_.length++] = c;
  }
  void put_text(std::string_view text) {
    for (const char c : text)
      put(upper(c));
  }
  void put_number(std::int64_t value, std::size_t width) {
    std::array<char, 20> digits{};
    const char *end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    for (std::size_t i = text.size(); i < width; ++i)
      put('0');
    put_text(text);
  }
  const OrderNumber &number() const noexcept { return number_; }

private:
  OrderNumber number_;
};

} // namespace

OrderNumber render_order_number(const OrderNumberTemplate &format,
                                const OrderNumberFields &fields) {
  Writer writer;
  for (const OrderNumberPart &part : format) {
    switch (part.kind) {
    case Kind::literal:
      writer.put(part.character);
      break;
    case Kind::year:
      writer.put_number(fields.year, 4);
      break;
    case Kind::short_year:
      writer.put_number(fields.year % 100, 2);
      break;
    case Kind::month:
      writer.put_number(fields.month, 2);
      break;
    case Kind::day:
      writer.put_number(fields.day, 2);
      break;
    case Kind::day_of_year:
      writer.put_number(fields.day_of_year, 3);
      break;
    case Kind::code:
      writer.put_text(fields.code);
      break;
    case Kind::sequence:
      writer.put_number(fields.sequence, part.width);
      break;
    case Kind::tenant:
      writer.put_text(fields.slug);
      break;
    case Kind::check:
      writer.put(check_character(writer.number().view()));
      break;
    }
  }
  return writer.number();
}

namespace {

bool is_leap(int year) noexcept { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in_month(int month, bool leap) noexcept {
  constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap ? 29 : days[static_cast<std::size_t>(month - 1)];
}

/// The date tokens of one number, each at most one value; -1 where the format lacks it.
struct Date {
  int year = -1;
  int short_year = -1;
  int month = -1;
  int day = -1;
  int day_of_year = -1;

  /// Whether some day in a year of that length has all these values.
  bool exists_in(bool leap) const noexcept {
    if (day_of_year < 0)
      return day <= (month < 0 ? 31 : days_in_month(month, leap));
    int rest = day_of_year;
    int of_month = 1;
    while (of_month <= 12 && rest > days_in_month(of_month, leap))
      rest -= days_in_month(of_month++, leap);
    return of_month <= 12 && (month < 0 || month == of_month) && (day < 0 || day == rest);
  }

  bool exists() const noexcept {
    if (year == 0 || month == 0 || month > 12 || day == 0 || day_of_year == 0)
      return false;
    if (year >= 0)
      return (short_year < 0 || short_year == year % 100) && exists_in(is_leap(year));
    // Years with these last two digits: all leap or all common, but for 00, which knows both.
    const bool may_be_leap = short_year < 0 || short_year % 4 == 0;
    const bool may_be_common = short_year <= 0 || short_year % 4 != 0;
    return (may_be_leap && exists_in(true)) || (may_be_common && exists_in(false));
  }
};

/// The shape of a slug, in upper case: letters and digits, with single hyphens or underscores
/// between.
bool is_upper_slug(std::string_view text) noexcept {
  bool after_word = false;
  for (const char c : text) {
    const bool word = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!word && (!after_word || (c != '-' && c != '_')))
      return false;
    after_word = word;
  }
  return after_word;
}

/// How many characters {CODE}, {SEQ} and {TENANT} take in one attempt.
struct Lengths {
  std::size_t code = 0;
  std::size_t sequence = 0;
  std::size_t tenant = 0;
};

/// One pass over a number with every part's place known.
class Attempt {
public:
  Attempt(std::string_view number, std::optional<std::string_view> slug,
          const Lengths &lengths) noexcept
      : number_(number), slug_(slug), lengths_(lengths) {}

  bool matches(const OrderNumberTemplate &format) noexcept {
    return std::all_of(format.begin(), format.end(),
                       [&](const OrderNumberPart &part) { return match(part); }) &&
           date_.exists();
  }

private:
  std::string_view take(std::size_t length) noexcept {
    const std::string_view taken = number_.substr(position_, length);
    position_ += length;
    return taken;
  }

  /// A number of exactly `length` digits, the same wherever it occurs again.
  bool match_date(std::size_t length, int &known) noexcept {
    int value = 0;
    for (const char c : take(length)) {
      if (c < '0' || c > '9')
        return false;
      value = value * 10 + (c - '0');
    }
    const bool agrees = known < 0 || known == value;
    known = value;
    return agrees;
  }

  bool match_sequence(std::size_t width) noexcept {
    const std::string_view digits = take(lengths_.sequence);
    if (digits.size() > width && digits.front() == '0')
      return false;
    std::int64_t value = 0;
    const char *end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, value);
    return result.ec == std::errc() && result.ptr == end && value > 0;
  }

  bool match_tenant() noexcept {
    const std::string_view text = take(lengths_.tenant);
    if (slug_)
      return std::equal(text.begin(), text.end(), slug_->begin(), slug_->end(),
                        [](char in_number, char in_slug) { return in_number == upper(in_slug); });
    if (!seen_tenant_.empty())
      return text == seen_tenant_;
    seen_tenant_ = text;
    return is_upper_slug(text);
  }

  bool match(const OrderNumberPart &part) noexcept {
    switch (part.kind) {
    case Kind::literal:
      return take(1).front() == part.character;
    case Kind::year:
      return match_date(4, date_.year);
    case Kind::short_year:
      return match_date(2, date_.short_year);
    case Kind::month:
      return match_date(2, date_.month);
    case Kind::day:
      return match_date(2, date_.day);
    case Kind::day_of_year:
      return match_date(3, date_.day_of_year);
    case Kind::code: {
      const std::string_view code = take(lengths_.code);
      return std::all_of(code.begin(), code.end(), is_crockford_digit);
    }
    case Kind::sequence:
      return match_sequence(part.width);
    case Kind::tenant:
      return match_tenant();
    case Kind::check: {
      const char expected = check_character(number_.substr(0, position_));
      return take(1).front() == expected;
    }
    }
    return false;
  }

  std::string_view number_;
  std::optional<std::string_view> slug_;
  Lengths lengths_;
  std::size_t position_ = 0;
  std::string_view seen_tenant_;
  Date date_;
};

constexpr std::size_t longest_sequence = std::numeric_limits<std::int64_t>::digits10 + 1;

} // namespace

bool order_number_matches(const OrderNumberTemplate &format, std::string_view number,
                          std::optional<std::string_view> slug) noexcept {
  if (number.size() > max_order_number_length || number.size() < format.other_length)
    return false;
  const std::size_t variable = number.size() - format.other_length;
  const std::size_t longest_code = format.has_code() ? max_code_width : 0;
  const std::size_t longest_digits = format.has_sequence() ? longest_sequence : 0;
  Lengths lengths;
  for (lengths.code = format.code_width; lengths.code <= longest_code; ++lengths.code) {
    for (lengths.sequence = format.sequence_width; lengths.sequence <= longest_digits;
         ++lengths.sequence) {
      if (lengths.code + lengths.sequence > variable)
        break;
      const std::size_t rest = variable - lengths.code - lengths.sequence;
      if (format.tenant_count == 0) {
        if (rest != 0)
          continue;
      } else {
        lengths.tenant = rest / format.tenant_count;
        if (lengths.tenant == 0 || lengths.tenant * format.tenant_count != rest ||
            (slug && slug->size() != lengths.tenant))
          continue;
      }
      if (Attempt(number, slug, lengths).matches(format))
        return true;
    }
  }
  return false;
}

} // namespace brainsait::core
