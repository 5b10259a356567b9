#include "core/key_file.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::string_view blanks = " \t\r";

[[noreturn]] void refuse(std::size_t line, const std::string &reason) {
  throw Error(ErrorKind::invalid_parameter, "line " + std::to_string(line) + ": " + reason);
}

/// Cuts the next word off `text`.
std::string_view next_word(std::string_view &text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

int digit_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  if (digit >= 'a' && digit <= 'f')
    return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F')
    return digit - 'A' + 10;
  return -1;
}

/// "32" or "32 to 64", twice as many of digits.
std::string digits_of(std::size_t shortest, std::size_t longest) {
  const std::string least = std::to_string(2 * shortest);
  return shortest == longest ? least : least + " to " + std::to_string(2 * longest);
}

std::uint32_t parse_id(std::size_t line, std::string_view text) {
  std::uint32_t id = 0;
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end || id == 0 ||
      id > std::uint32_t{std::numeric_limits<std::int32_t>::max()})
    refuse(line, "the key id is not a number from 1 to 2147483647");
  return id;
}

void parse_secret(std::size_t line, std::string_view text, std::size_t shortest,
                  std::size_t longest, FileKey &key) {
  if (text.size() % 2 != 0 || text.size() < 2 * shortest || text.size() > 2 * longest)
    refuse(line, "a key has " + digits_of(shortest, longest) + " hexadecimal digits");
  key.size = text.size() / 2;
  for (std::size_t i = 0; i < key.size; ++i) {
    const int high = digit_value(text[2 * i]);
    const int low = digit_value(text[2 * i + 1]);
    if (high < 0 || low < 0)
      refuse(line, "a key is written in hexadecimal digits");
    key.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
}

} // namespace

std::size_t parse_key_lines(std::string_view text, std::size_t shortest, std::size_t longest,
                            std::span<FileKey> keys) {
  std::size_t count = 0;
  for (std::size_t line = 1; !text.empty(); ++line) {
    std::string_view rest = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(rest.size() + 1, text.size()));
    const std::string_view id = next_word(rest);
    if (id.empty() || id.front() == '#')
      continue;
    const std::string_view secret = next_word(rest);
    if (!next_word(rest).empty())
      refuse(line, "there is more than an id and a key");
    const std::uint32_t number = parse_id(line, id);
    const auto found = keys.first(count);
    if (std::ranges::find(found, number, &FileKey::id) != found.end())
      refuse(line, "the key id stands there already");
    if (count == keys.size())
      refuse(line, "there are more than " + std::to_string(keys.size()) + " keys");
    parse_secret(line, secret, shortest, longest, keys[count]);
    keys[count++].id = number;
  }
  if (count == 0)
    throw Error(ErrorKind::invalid_parameter, "there is no key");
  return count;
}

} // namespace brainsait::core
