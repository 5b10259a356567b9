// Envelopes from any bytes: what is taken for one is written back as it came, in both notations,
// and opens under no key.

#include "core/base64.hpp"
#include "core/credential_envelope.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

using namespace brainsait::core;

namespace {

using Bytes = std::vector<std::uint8_t>;

void must(bool holds) {
  if (!holds)
    std::abort();
}

bool opens(const Envelope &envelope) {
  FileKey key;
  key.id = envelope.key_id;
  key.size = gcm_key_size;
  Bytes plain(envelope.ciphertext.size());
  return open_envelope(key, {.column = "webhooks.secret", .tenant = {}, .row = {}}, envelope,
                       plain);
}

std::string text_of(const Envelope &envelope) {
  std::string text(largest_envelope_text(envelope.ciphertext.size()), '?');
  text.resize(write_envelope_text(envelope, text));
  return text;
}

/// Whether it is an envelope.
bool try_text(std::string_view text) {
  Bytes buffer(text.size());
  try {
    const Envelope envelope = read_envelope_text(text, buffer);
    must(text_of(envelope) == text);
    must(!opens(envelope));
    return true;
  } catch (const Error &error) {
    must(error.kind() == ErrorKind::corrupted);
    return false;
  }
}

/// The parts, which lines separate, as fields of the JSON notation.
void try_fields(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (auto &part : parts) {
    part = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
  }
  Bytes buffer(parts[3].size());
  try {
    const Envelope envelope =
        read_envelope_fields({parts[0], parts[1], parts[2], parts[3], parts[4]}, buffer);
    std::string json(largest_envelope_json(envelope.ciphertext.size()), '?');
    json.resize(write_envelope_json(envelope, json));
    for (const std::string_view part : parts)
      must(json.find(part) != std::string::npos);
    must(!opens(envelope));
    must(try_text(text_of(envelope)));
  } catch (const Error &error) {
    must(error.kind() == ErrorKind::corrupted);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text = {reinterpret_cast<const char *>(data), size};
  try_text(text);
  try_text(std::string(envelope_text_prefix) + std::string(text));
  try_fields(text);
  // Any bytes of the right size are an envelope of the right shape.
  const std::size_t binary = std::max(size, gcm_nonce_size + gcm_tag_size);
  Bytes bytes(binary);
  std::copy_n(data, size, bytes.begin());
  std::string envelope = "sealed:1:7:" + std::string(base64_size(binary), '?');
  write_base64(bytes, envelope.data() + 11);
  must(try_text(envelope));
  return 0;
}
