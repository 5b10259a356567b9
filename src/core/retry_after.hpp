#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace brainsait::core {

/// The longest wait that an endpoint is granted.
constexpr std::int64_t longest_retry_after = 86'400;

/// How many seconds from `now` (seconds since 1970 UTC) a Retry-After header asks to wait, between
/// 0 and longest_retry_after; nothing where the text is neither a number of seconds nor a date in
/// one of HTTP's three forms (RFC 9110, 10.2.3 and 5.6.7). A date's day of the week is read over;
/// a year of two digits is the one within 50 years of `now`.
std::optional<std::int64_t> parse_retry_after(std::string_view text, std::int64_t now) noexcept;

} // namespace brainsait::core
