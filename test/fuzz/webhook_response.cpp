// What an endpoint may answer: any Retry-After header, any body.

#include "core/response_text.hpp"
#include "core/retry_after.hpp"

#include <cstdlib>
#include <cstring>

using namespace brainsait::core;

namespace {

void try_retry_after(std::string_view text, std::int64_t now) {
  const auto wait = parse_retry_after(text, now);
  if (wait && (*wait < 0 || *wait > longest_retry_after))
    std::abort();
}

/// Whether a text is whole characters of UTF-8 and no zero byte, by decoding each.
bool is_clean(std::string_view text) {
  static constexpr std::uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
  for (std::size_t i = 0; i < text.size();) {
    const auto first = std::uint8_t(text[i]);
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : 4;
    std::uint32_t character = length == 1 ? first : first & (0x7FU >> length);
    if ((length == 4 && first >> 3 != 30) || i + length > text.size())
      return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((std::uint8_t(text[i + k]) & 0xC0) != 0x80)
        return false;
      character = character << 6 | (std::uint8_t(text[i + k]) & 0x3F);
    }
    if (character < least[length] || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
      return false;
    i += length;
  }
  return true;
}

void try_text(std::string_view bytes, std::size_t longest) {
  const std::string text = clean_utf8(bytes, longest);
  if (text.size() > longest || !is_clean(text))
    std::abort();
  if (is_clean(bytes) && bytes.size() <= longest && text != bytes)
    std::abort();
  const std::string ascii = clean_ascii(bytes, longest);
  for (const char byte : ascii)
    if (byte == 0 || std::uint8_t(byte) >= 0x80)
      std::abort();
  if (ascii.size() != std::min(bytes.size(), longest))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::int64_t now = 0;
  std::memcpy(&now, data, std::min(size, sizeof now));
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  try_retry_after(text, now);
  try_retry_after(text, 1'795'000'000);
  // Random bytes seldom begin like a date: give them the rest of one.
  try_retry_after("Sun, 06 Nov " + std::string(text), 784'111'777);
  try_text(text, 4096);
  try_text(text, size / 2);
  return 0;
}
