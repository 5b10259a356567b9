// Seals and opens credentials with the keys of brainsait.credential_key_file.

#include "credential_vault.hpp"

#include "core/base64.hpp"
#include "key_file.hpp"
#include "pg/guard.hpp"

namespace brainsait {
namespace {

KeyFile key_file = {.title = "credential key file"};
core::CredentialKeys keys;

constexpr char hint[] = "Set brainsait.credential_key_file; where it is set, the server's log says "
                        "why the file is not used.";

void file_changed(const char *, void *) { key_file.is_read = false; }

core::EnvelopePlace place_of(SecretColumn column, const SecretRow &row) {
  core::EnvelopePlace place;
  place.column = secret_column_name(column);
  std::memcpy(place.tenant.data(), row.tenant.data, place.tenant.size());
  std::memcpy(place.row.data(), row.id.data, place.row.size());
  return place;
}

void fill_randomly(std::span<uint8> bytes) {
  if (!pg_strong_random(bytes.data(), bytes.size()))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
}

const core::FileKey &opening_key(SecretColumn column, uint32 id) {
  const core::FileKey *key = live_credential_keys().find(id);
  if (key == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the key %u, which %s was encrypted with, is not there", id,
                    secret_column_name(column)),
             errhint("Put it back into the file that brainsait.credential_key_file names, and "
                     "reload; where it is there, the server's log says why the file is not "
                     "used.")));
  return *key;
}

/// Decrypts into `plain`; false where it is not this row's.
bool decrypt(SecretColumn column, const SecretRow &row, const core::Envelope &envelope,
             std::span<uint8> plain) {
  const core::FileKey &key = opening_key(column, envelope.key_id);
  bool opened = false;
  pg::run_guarded(
      [&] { opened = core::open_envelope(key, place_of(column, row), envelope, plain); });
  return opened;
}

std::span<uint8> room_for(const core::Envelope &envelope) {
  std::size_t size = envelope.ciphertext.size();
  auto *room = static_cast<uint8 *>(palloc(size + 1));
  room[size] = 0;
  return {room, size};
}

void check_size(SecretColumn column, std::size_t size) {
  if (column != SecretColumn::webhook_secret)
    return;
  if (size == 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the secret of a webhook must not be empty"),
                    errhint("Leave it out, and one is generated.")));
  if (size > longest_webhook_secret)
    ereport(ERROR, (errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
                    errmsg("the secret of a webhook has at most %zu bytes, and not %zu",
                           longest_webhook_secret, size),
                    errhint("A longer one does not fit into its column encrypted. One that is left "
                            "out is generated; rotate_webhook_secret(webhook, '0') takes the place "
                            "of one that cannot be kept.")));
}

} // namespace

const core::CredentialKeys &live_credential_keys() { return live_keys(key_file, keys); }

const core::FileKey &sealing_key() {
  const core::CredentialKeys &live = live_credential_keys();
  if (live.count == 0)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("there is no key to encrypt credentials with"), errhint("%s", hint)));
  return live.keys[0];
}

bool opens(SecretColumn column, const SecretRow &row, const core::Envelope &envelope) {
  std::span<uint8> plain = room_for(envelope);
  bool opened = decrypt(column, row, envelope, plain);
  explicit_bzero(plain.data(), plain.size());
  pfree(plain.data());
  return opened;
}

Datum open_secret(SecretColumn column, const SecretRow &row, Datum stored) {
  if (!is_envelope(column, stored))
    return stored;
  core::Envelope envelope = read_envelope(column, stored, ERRCODE_DATA_CORRUPTED);
  std::span<uint8> plain = room_for(envelope);
  if (!decrypt(column, row, envelope, plain))
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("%s does not open", secret_column_name(column)),
             errdetail("It is the envelope of another row, was encrypted with another key %u than "
                       "the file's, or has been changed.",
                       envelope.key_id)));
  Datum value = plain_value(column, plain);
  explicit_bzero(plain.data(), plain.size());
  return value;
}

Datum seal_secret(SecretColumn column, const SecretRow &row, Datum plain) {
  const core::FileKey &key = sealing_key();
  std::span<uint8> bytes = plain_bytes(column, plain);
  check_size(column, bytes.size());
  core::Envelope envelope;
  envelope.ciphertext = {static_cast<uint8 *>(palloc(bytes.size() + 1)), bytes.size()};
  fill_randomly(envelope.nonce);
  pg::Failure failure;
  bool sealed = pg::guarded(
      failure, [&] { core::seal_envelope(key, place_of(column, row), bytes, envelope); });
  explicit_bzero(bytes.data(), bytes.size());
  if (!sealed)
    pg::raise(failure);
  return write_envelope(column, envelope);
}

Datum reseal_secret(SecretColumn column, const SecretRow &from, const SecretRow &to, Datum stored) {
  Datum plain = open_secret(column, from, stored);
  Datum sealed = seal_secret(column, to, plain);
  if (plain != stored)
    forget_secret(plain);
  return sealed;
}

void forget_secret(Datum secret) {
  auto *value = reinterpret_cast<varlena *>(DatumGetPointer(secret));
  explicit_bzero(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

text *open_webhook_secret(const pg_uuid_t &tenant, const pg_uuid_t &webhook, text *stored) {
  return DatumGetTextPP(
      open_secret(SecretColumn::webhook_secret, {tenant, webhook}, PointerGetDatum(stored)));
}

text *new_webhook_secret() {
  constexpr std::string_view prefix = "whsec_";
  std::array<uint8, 32> random;
  std::array<char, prefix.size() + core::base64_size(random.size())> written;
  fill_randomly(random);
  std::memcpy(written.data(), prefix.data(), prefix.size());
  core::write_base64(random, written.data() + prefix.size());
  text *secret = cstring_to_text_with_len(written.data(), int(written.size()));
  explicit_bzero(random.data(), random.size());
  explicit_bzero(written.data(), written.size());
  return secret;
}

void init_credential_vault() {
  DefineCustomStringVariable(
      "brainsait.credential_key_file", "File with the keys that encrypt credentials.",
      "Up to 16 lines: a key id and 32 bytes in hexadecimal digits. The first encrypts, all of "
      "them "
      "decrypt. Read again when the configuration is reloaded. A relative path starts at the data "
      "directory.",
      &key_file.path, "", PGC_SUSET, GUC_SUPERUSER_ONLY, nullptr, file_changed, nullptr);
}

} // namespace brainsait
