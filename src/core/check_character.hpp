#pragma once

#include <string_view>

namespace brainsait::core {

/// The check character (0-9, A-Z) of ISO/IEC 7064 MOD 37,36 over the ASCII letters and digits of
/// `text`, letters taken as upper case, everything else skipped.
///
/// It differs between every two texts that differ in one character. Of swapped neighbours the
/// standard misses one pair in 630: the running product p (1 to 36) before them decides which two,
/// always those with the adjacent values 18 - p and 19 - p (mod 36).
char check_character(std::string_view text) noexcept;

} // namespace brainsait::core
