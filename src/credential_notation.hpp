#pragma once

#include "core/credential_envelope.hpp"
#include "pg/guard.hpp"

namespace brainsait {

/// The columns that hold credentials; previous_secret is of the second kind.
enum class SecretColumn {
  integration_credentials, ///< integrations.credentials: jsonb
  webhook_secret,          ///< webhooks.secret: text
};

/// What the column is called, and so are its envelopes' places.
const char *secret_column_name(SecretColumn column);

/// Whether a value is written as an envelope: credentials that have an envelope's five names and no
/// other, a secret that begins like one. read_envelope() may refuse it all the same.
bool is_envelope(SecretColumn column, Datum value);

/// Reads the envelope that is_envelope() found, its ciphertext in the current memory context.
/// False, with the reason, where it is malformed.
bool parse_envelope(SecretColumn column, Datum value, core::Envelope &envelope,
                    pg::Failure &failure);
/// The same; raises `sqlstate` where it is malformed.
core::Envelope read_envelope(SecretColumn column, Datum value, int sqlstate);

/// A value of the column's type that holds the envelope.
Datum write_envelope(SecretColumn column, const core::Envelope &envelope);

/// Credentials or a secret as bytes in UTF-8, whatever the database's encoding is, so that an
/// envelope opens in another one; the value from such bytes, which are followed by a zero.
std::span<uint8> plain_bytes(SecretColumn column, Datum value);
Datum plain_value(SecretColumn column, std::span<uint8> bytes);

} // namespace brainsait
