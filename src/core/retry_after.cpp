#include "core/retry_after.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

namespace brainsait::core {
namespace {

using namespace std::string_view_literals;

constexpr std::array months = {"Jan"sv, "Feb"sv, "Mar"sv, "Apr"sv, "May"sv, "Jun"sv,
                               "Jul"sv, "Aug"sv, "Sep"sv, "Oct"sv, "Nov"sv, "Dec"sv};
constexpr std::array days = {"Mon"sv, "Tue"sv, "Wed"sv, "Thu"sv, "Fri"sv, "Sat"sv, "Sun"sv};
constexpr std::array long_days = {"Monday"sv, "Tuesday"sv,  "Wednesday"sv, "Thursday"sv,
                                  "Friday"sv, "Saturday"sv, "Sunday"sv};

bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

/// Reads a text from its beginning; once something is not there, nothing is any more.
class Reader {
public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  bool ended() const noexcept { return good_ && rest_.empty(); }

  Reader &literal(std::string_view expected) noexcept {
    good_ = good_ && rest_.starts_with(expected);
    if (good_)
      rest_.remove_prefix(expected.size());
    return *this;
  }

  /// Exactly so many digits; where `padded`, the first may be a blank.
  int number(std::size_t digits, bool padded = false) noexcept {
    int value = 0;
    good_ = good_ && rest_.size() >= digits;
    for (std::size_t i = 0; good_ && i < digits; ++i) {
      if (i == 0 && padded && rest_[0] == ' ')
        continue;
      good_ = is_digit(rest_[i]);
      value = 10 * value + (rest_[i] - '0');
    }
    if (good_)
      rest_.remove_prefix(digits);
    return good_ ? value : 0;
  }

  /// Which of the words comes, from 0.
  template <std::size_t Count>
  unsigned word(const std::array<std::string_view, Count> &words) noexcept {
    const auto found = std::ranges::find_if(
        words, [this](std::string_view word) { return rest_.starts_with(word); });
    good_ = good_ && found != words.end();
    if (!good_)
      return 0;
    rest_.remove_prefix(found->size());
    return unsigned(std::distance(words.begin(), found));
  }

private:
  std::string_view rest_;
  bool good_ = true;
};

struct Date {
  int year = 0;
  unsigned month = 0; ///< from 0
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_time(Reader &reader, Date &date) noexcept {
  date.hour = reader.number(2);
  date.minute = reader.literal(":").number(2);
  date.second = reader.literal(":").number(2);
}

// Sun, 06 Nov 1994 08:49:37 GMT
bool read_fixed(std::string_view text, Date &date) noexcept {
  Reader reader(text);
  (void)reader.word(days);
  date.day = reader.literal(", ").number(2);
  date.month = reader.literal(" ").word(months);
  date.year = reader.literal(" ").number(4);
  read_time(reader.literal(" "), date);
  return reader.literal(" GMT").ended();
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool read_rfc850(std::string_view text, std::int64_t now, Date &date) noexcept {
  using namespace std::chrono;
  Reader reader(text);
  (void)reader.word(long_days);
  date.day = reader.literal(", ").number(2);
  date.month = reader.literal("-").word(months);
  const int year = reader.literal("-").number(2);
  read_time(reader.literal(" "), date);
  const auto today = floor<std::chrono::days>(sys_seconds(seconds(now)));
  const int this_year = int(year_month_day(today).year());
  date.year = this_year - this_year % 100 + year;
  if (date.year > this_year + 50)
    date.year -= 100;
  else if (date.year <= this_year - 50)
    date.year += 100;
  return reader.literal(" GMT").ended();
}

// Sun Nov  6 08:49:37 1994
bool read_asctime(std::string_view text, Date &date) noexcept {
  Reader reader(text);
  (void)reader.word(days);
  date.month = reader.literal(" ").word(months);
  date.day = reader.literal(" ").number(2, true);
  read_time(reader.literal(" "), date);
  date.year = reader.literal(" ").number(4);
  return reader.ended();
}

std::optional<std::int64_t> seconds_of(const Date &date) noexcept {
  using namespace std::chrono;
  const year_month_day day{year(date.year), month(date.month + 1), std::chrono::day(date.day)};
  // 60 is a leap second's.
  if (!day.ok() || date.hour > 23 || date.minute > 59 || date.second > 60)
    return std::nullopt;
  return std::int64_t{sys_days(day).time_since_epoch().count()} * 86400 + 3600LL * date.hour +
         60LL * date.minute + date.second;
}

std::optional<std::int64_t> read_seconds(std::string_view text) noexcept {
  if (text.empty() || !std::ranges::all_of(text, is_digit))
    return std::nullopt;
  std::int64_t seconds = 0;
  for (const char digit : text)
    seconds = std::min(10 * seconds + (digit - '0'), longest_retry_after);
  return seconds;
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

} // namespace

std::optional<std::int64_t> parse_retry_after(std::string_view text, std::int64_t now) noexcept {
  text = trimmed(text);
  if (const auto seconds = read_seconds(text))
    return seconds;
  // So that every sum below is one of numbers that a calendar knows.
  constexpr std::int64_t last_second = 253402300799; // of the year 9999
  if (now < 0 || now > last_second)
    return std::nullopt;
  Date date;
  if (!read_fixed(text, date) && !read_rfc850(text, now, date) && !read_asctime(text, date))
    return std::nullopt;
  const auto moment = seconds_of(date);
  if (!moment)
    return std::nullopt;
  return std::clamp<std::int64_t>(*moment - now, 0, longest_retry_after);
}

} // namespace brainsait::core
