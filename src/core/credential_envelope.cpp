#include "core/credential_envelope.hpp"

#include "core/base64.hpp"
#include "core/bytes.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::size_t longest_column = 32;
constexpr std::size_t largest_associated_data = 1 + longest_column + 4 + 4 + 16 + 16;

/// The associated data: length and name of the column, version, key id, tenant, row.
struct AssociatedData {
  AssociatedData(const EnvelopePlace &place, std::uint32_t key_id) {
    if (place.column.size() > longest_column)
      throw Error(ErrorKind::invalid_parameter, "the column's name is too long");
    ByteWriter writer(bytes.data());
    writer.u8(static_cast<std::uint8_t>(place.column.size()));
    writer.text(place.column);
    writer.u32(envelope_version);
    writer.u32(key_id);
    writer.bytes(place.tenant);
    writer.bytes(place.row);
    size = static_cast<std::size_t>(writer.position() - bytes.data());
  }
  std::span<const std::uint8_t> span() const noexcept { return {bytes.data(), size}; }

  std::array<std::uint8_t, largest_associated_data> bytes = {};
  std::size_t size = 0;
};

GcmKey gcm_key(const FileKey &key) {
  if (key.size != gcm_key_size)
    throw Error(ErrorKind::invalid_parameter, "a key of AES-256 has 32 bytes");
  return GcmKey(key.bytes.data(), gcm_key_size);
}

/// Writes texts, numbers and base64 one after the other.
class NotationWriter {
public:
  explicit NotationWriter(std::span<char> to) noexcept
      : start_(to.data()), at_(to.data()), end_(to.data() + to.size()) {}

  NotationWriter &text(std::string_view value) noexcept {
    at_ = std::copy(value.begin(), value.end(), at_);
    return *this;
  }
  NotationWriter &number(std::uint32_t value) noexcept {
    at_ = std::to_chars(at_, end_, value).ptr;
    return *this;
  }
  NotationWriter &base64(std::span<const std::uint8_t> value) noexcept {
    at_ = write_base64(value, at_);
    return *this;
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - start_); }

private:
  char *start_, *at_, *end_;
};

/// A decimal number as it is written: no sign, no zeros before it.
std::uint32_t read_number(std::string_view text) {
  std::uint32_t number = 0;
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || text.front() == '0' ||
      number > std::uint32_t{std::numeric_limits<std::int32_t>::max()})
    refuse_bytes("Version and key are numbers from 1 to 2147483647.");
  return number;
}

void read_version(std::string_view text) {
  if (read_number(text) != envelope_version)
    refuse_bytes("It is of a version that is not known.");
}

/// Base64 of as many bytes as there are in `into`.
void read_exactly(std::string_view text, std::span<std::uint8_t> into) {
  if (base64_bytes(text) != into.size() || !read_base64(text, into))
    refuse_bytes(
        "Nonce, ciphertext and tag are base64, of 12 bytes, as many as the text has, and 16.");
}

/// The text up to the next colon, which is cut off with it.
std::string_view next_part(std::string_view &text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    refuse_bytes("It is cut short.");
  const std::string_view part = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return part;
}

} // namespace

void seal_envelope(const FileKey &key, const EnvelopePlace &place,
                   std::span<const std::uint8_t> plain, Envelope &envelope) {
  if (plain.size() > envelope_longest_text)
    throw Error(ErrorKind::limit_exceeded, "what is encrypted has at most 1 MB");
  envelope.key_id = key.id;
  const AssociatedData associated(place, key.id);
  encrypt_gcm(gcm_key(key), envelope.nonce, associated.span(), plain, envelope.ciphertext,
              envelope.tag);
}

bool open_envelope(const FileKey &key, const EnvelopePlace &place, const Envelope &envelope,
                   std::span<std::uint8_t> plain) {
  const AssociatedData associated(place, envelope.key_id);
  return decrypt_gcm(gcm_key(key), envelope.nonce, associated.span(), envelope.ciphertext,
                     envelope.tag, plain);
}

std::size_t write_envelope_text(const Envelope &envelope, std::span<char> to) {
  // Nonce, ciphertext and tag are one base64: the groups of three run across them.
  NotationWriter writer(to);
  writer.text(envelope_text_prefix).number(envelope_version).text(":");
  writer.number(envelope.key_id).text(":");
  static_assert(gcm_nonce_size % 3 == 0);
  writer.base64(envelope.nonce);
  const std::size_t whole = envelope.ciphertext.size() / 3 * 3;
  writer.base64(envelope.ciphertext.first(whole));
  std::array<std::uint8_t, 2 + gcm_tag_size> end = {};
  const auto rest = envelope.ciphertext.subspan(whole);
  std::ranges::copy(rest, end.begin());
  std::ranges::copy(envelope.tag, end.begin() + static_cast<std::ptrdiff_t>(rest.size()));
  writer.base64(std::span(end).first(rest.size() + gcm_tag_size));
  return writer.size();
}

std::size_t write_envelope_json(const Envelope &envelope, std::span<char> to) {
  NotationWriter writer(to);
  writer.text(R"({"version": )").number(envelope_version);
  writer.text(R"(, "key": )").number(envelope.key_id);
  writer.text(R"(, "nonce": ")").base64(envelope.nonce);
  writer.text(R"(", "ciphertext": ")").base64(envelope.ciphertext);
  writer.text(R"(", "tag": ")").base64(envelope.tag).text(R"("})");
  return writer.size();
}

Envelope read_envelope_text(std::string_view text, std::span<std::uint8_t> buffer) {
  if (!text.starts_with(envelope_text_prefix))
    refuse_bytes("It does not begin like one.");
  text.remove_prefix(envelope_text_prefix.size());
  read_version(next_part(text));
  const std::uint32_t key = read_number(next_part(text));
  const std::optional<std::size_t> size = base64_bytes(text);
  if (!size || *size < gcm_nonce_size + gcm_tag_size)
    refuse_bytes("It is cut short.");
  const std::span<std::uint8_t> bytes = buffer.first(*size);
  read_exactly(text, bytes);
  Envelope envelope;
  envelope.key_id = key;
  std::ranges::copy(bytes.first(gcm_nonce_size), envelope.nonce.begin());
  std::ranges::copy(bytes.last(gcm_tag_size), envelope.tag.begin());
  envelope.ciphertext = bytes.subspan(gcm_nonce_size, *size - gcm_nonce_size - gcm_tag_size);
  return envelope;
}

Envelope read_envelope_fields(const EnvelopeFields &fields, std::span<std::uint8_t> buffer) {
  read_version(fields.version);
  Envelope envelope;
  envelope.key_id = read_number(fields.key);
  read_exactly(fields.nonce, envelope.nonce);
  read_exactly(fields.tag, envelope.tag);
  envelope.ciphertext = buffer.first(base64_bytes(fields.ciphertext).value_or(0));
  read_exactly(fields.ciphertext, envelope.ciphertext);
  return envelope;
}

} // namespace brainsait::core
