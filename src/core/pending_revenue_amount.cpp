#include "core/pending_revenue_amount.hpp"

#include "core/error.hpp"

namespace brainsait::core {
namespace {

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorKind::invalid_parameter,
              "amount " + std::string(text.substr(0, 64)) + " cannot be counted as revenue",
              "Amounts are finite numbers with at most two decimals.");
}

} // namespace

std::int64_t parse_hundredths(std::string_view text) {
  bool negative = !text.empty() && text.front() == '-';
  std::string_view digits = text.substr(negative ? 1 : 0);
  // Summed as a negative number, whose range is the larger one; the smallest is refused in the end
  // so that every result can be negated.
  std::int64_t hundredths = 0;
  int decimals = -1; // none before the point
  bool any = false;
  auto append = [&](int digit) {
    if (__builtin_mul_overflow(hundredths, 10, &hundredths) ||
        __builtin_sub_overflow(hundredths, digit, &hundredths) || hundredths == INT64_MIN)
      throw Error(ErrorKind::out_of_range,
                  "amount " + std::string(text.substr(0, 64)) + " is out of range");
  };
  for (char character : digits) {
    if (character == '.' && decimals < 0) {
      decimals = 0;
      continue;
    }
    if (character < '0' || character > '9')
      refuse(text);
    any = true;
    int digit = character - '0';
    if (decimals >= 2) {
      if (digit != 0)
        refuse(text);
      continue;
    }
    append(digit);
    if (decimals >= 0)
      ++decimals;
  }
  if (!any)
    refuse(text);
  for (int given = decimals < 0 ? 0 : decimals; given < 2; ++given)
    append(0);
  return negative ? hundredths : -hundredths;
}

} // namespace brainsait::core
