#pragma once

#include <string>
#include <string_view>

namespace brainsait::core {

/// The beginning of `bytes`, at most `longest` bytes of it, as text that a database takes:
/// valid UTF-8 without zero bytes and without half a character at its end. Each maximal part of
/// what is no UTF-8 (Unicode 15, 3.9, U+FFFD substitution of maximal subparts), and each zero byte,
/// becomes U+FFFD.
std::string clean_utf8(std::string_view bytes, std::size_t longest);

/// The same for a database of another encoding: each byte that is no ASCII character, and zero,
/// becomes a question mark.
std::string clean_ascii(std::string_view bytes, std::size_t longest);

} // namespace brainsait::core
