#include "core/tenant_token_keys.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::string_view blanks = " \t\r";

[[noreturn]] void refuse(std::size_t line, const char *reason) {
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

TokenKey parse_key(std::size_t line, std::string_view id, std::string_view secret) {
  TokenKey key;
  const char *end = id.data() + id.size();
  const auto [stop, error] = std::from_chars(id.data(), end, key.id);
  if (error != std::errc() || stop != end || key.id == 0 ||
      key.id > std::uint32_t{std::numeric_limits<std::int32_t>::max()})
    refuse(line, "the key id is not a number from 1 to 2147483647");
  if (secret.size() % 2 != 0 || secret.size() < 2 * TokenKey::shortest ||
      secret.size() > 2 * TokenKey::longest)
    refuse(line, "a key has 64 to 128 hexadecimal digits");
  key.size = secret.size() / 2;
  for (std::size_t i = 0; i < key.size; ++i) {
    const int high = digit_value(secret[2 * i]);
    const int low = digit_value(secret[2 * i + 1]);
    if (high < 0 || low < 0)
      refuse(line, "a key is written in hexadecimal digits");
    key.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return key;
}

} // namespace

const TokenKey *TokenKeys::find(std::uint32_t id) const noexcept {
  for (std::size_t i = 0; i < count; ++i)
    if (keys[i].id == id)
      return &keys[i];
  return nullptr;
}

TokenKeys parse_token_keys(std::string_view text) {
  TokenKeys found;
  for (std::size_t line = 1; !text.empty(); ++line) {
    std::string_view rest = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(rest.size() + 1, text.size()));
    const std::string_view id = next_word(rest);
    if (id.empty() || id.front() == '#')
      continue;
    const std::string_view secret = next_word(rest);
    if (!next_word(rest).empty())
      refuse(line, "there is more than an id and a key");
    const TokenKey key = parse_key(line, id, secret);
    if (found.find(key.id) != nullptr)
      refuse(line, "the key id stands there already");
    if (found.count == TokenKeys::most)
      refuse(line, "there are more than two keys");
    found.keys[found.count++] = key;
  }
  if (found.count == 0)
    throw Error(ErrorKind::invalid_parameter, "there is no key");
  return found;
}

} // namespace brainsait::core
