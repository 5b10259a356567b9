#pragma once

#include "core/aes_gcm.hpp"
#include "core/key_file.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace brainsait::core {

// Credentials at rest. An envelope holds a text encrypted by a key of the key file, and opens in
// the very place that it was made for: place, version and key id are its associated data. There are
// two notations:
//
//   text   sealed:1:KEY:BASE64         one base64 of nonce, ciphertext, tag
//   JSON   {"version": 1, "key": KEY, "nonce": BASE64, "ciphertext": BASE64, "tag": BASE64}

inline constexpr std::uint32_t envelope_version = 1;
/// What a text envelope of any version begins with.
inline constexpr std::string_view envelope_text_prefix = "sealed:";
/// The longest text that an envelope holds.
inline constexpr std::size_t envelope_longest_text = std::size_t{1} << 20;

/// Where an envelope belongs: a column, and a row of a tenant's.
struct EnvelopePlace {
  std::string_view column; ///< "integrations.credentials" or "webhooks.secret"
  std::array<std::uint8_t, 16> tenant = {};
  std::array<std::uint8_t, 16> row = {};
};

struct Envelope {
  std::uint32_t key_id = 0;
  std::array<std::uint8_t, gcm_nonce_size> nonce = {};
  std::array<std::uint8_t, gcm_tag_size> tag = {};
  std::span<std::uint8_t> ciphertext; ///< in a buffer of the caller's
};

/// Encrypts `plain` into `envelope`, whose nonce, fresh from a random generator, and room for the
/// ciphertext, as long as `plain`, the caller has put there. Throws Error (limit_exceeded) for a
/// text that is too long.
void seal_envelope(const FileKey &key, const EnvelopePlace &place,
                   std::span<const std::uint8_t> plain, Envelope &envelope);

/// Decrypts into `plain`, as long as the ciphertext, by the key that the envelope names. False
/// where it was not sealed in this place by this key, or was changed since.
bool open_envelope(const FileKey &key, const EnvelopePlace &place, const Envelope &envelope,
                   std::span<std::uint8_t> plain);

/// Characters of the text notation for `text_size` bytes of text and the longest key id.
constexpr std::size_t largest_envelope_text(std::size_t text_size) noexcept {
  return envelope_text_prefix.size() + 2 + 11 +
         (gcm_nonce_size + text_size + gcm_tag_size + 2) / 3 * 4;
}
/// Characters of the JSON notation, likewise.
constexpr std::size_t largest_envelope_json(std::size_t text_size) noexcept {
  return 128 + (text_size + 2) / 3 * 4;
}

/// Writes a notation and returns how many characters it took; `to` has room for the largest.
std::size_t write_envelope_text(const Envelope &envelope, std::span<char> to);
std::size_t write_envelope_json(const Envelope &envelope, std::span<char> to);

/// Reads the text notation; `buffer` has text.size() bytes and holds the ciphertext then. Throws
/// Error (corrupted) for everything that write_envelope_text() does not write.
Envelope read_envelope_text(std::string_view text, std::span<std::uint8_t> buffer);

/// What the JSON notation consists of, numbers as they are written.
struct EnvelopeFields {
  std::string_view version, key, nonce, ciphertext, tag;
};

/// Reads the JSON notation; `buffer` has fields.ciphertext.size() bytes. Throws Error (corrupted).
Envelope read_envelope_fields(const EnvelopeFields &fields, std::span<std::uint8_t> buffer);

} // namespace brainsait::core
