#pragma once

#include "credential_notation.hpp"
#include "pg/store.hpp"

namespace brainsait {

// What integrations.credentials and webhooks.secret hold: envelopes (core/credential_envelope.hpp),
// sealed by the first key of brainsait.credential_key_file. Rows of a store that is older than
// envelopes are in clear until rotate_credential_keys() has been there, and open as they are.

/// A row that holds credentials.
struct SecretRow {
  pg_uuid_t tenant;
  pg_uuid_t id;
};

/// The longest secret of a webhook, in bytes of UTF-8: its envelope fits into varchar(255).
inline constexpr std::size_t longest_webhook_secret = 146;

/// A webhook's secret, or the one before it, from what its row stores, in the current memory
/// context; the caller overwrites it when done. Raises 55000 where the key file lacks the key,
/// XX001 for the envelope of another row or one that was changed.
text *open_webhook_secret(const pg_uuid_t &tenant, const pg_uuid_t &webhook, text *stored);

/// The credentials or the secret that a row stores. Errors as above.
Datum open_secret(SecretColumn column, const SecretRow &row, Datum stored);

/// Whether this envelope is of this row, by a live key. Raises 55000 where the key is not there, so
/// that nobody can tell.
bool opens(SecretColumn column, const SecretRow &row, const core::Envelope &envelope);

/// The envelope of credentials or a secret. Raises 55000 without a key, 22001 for a secret that is
/// too long, 22023 for an empty one, 54000 for credentials of more than 1 MB.
Datum seal_secret(SecretColumn column, const SecretRow &row, Datum plain);

/// The envelope in `to` of what `from` stores, sealed anew. Errors as of both.
Datum reseal_secret(SecretColumn column, const SecretRow &from, const SecretRow &to, Datum stored);

/// Overwrites a secret that open_secret() or new_webhook_secret() made.
void forget_secret(Datum secret);

/// A new secret for a webhook as Standard Webhooks has them: whsec_ and 32 random bytes in base64.
text *new_webhook_secret();

/// The keys that are live; the first one seals.
const core::CredentialKeys &live_credential_keys();

/// The key that seals. Raises 55000 where there is none.
const core::FileKey &sealing_key();

/// Defines brainsait.credential_key_file.
void init_credential_vault();

} // namespace brainsait
