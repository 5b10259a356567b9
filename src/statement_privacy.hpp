#pragma once

#include "pg/postgres.hpp"

namespace brainsait {

/// Around the work on a token: takes what the running statement says out of pg_stat_activity, keeps
/// statement and context out of the log with every error raised until the end, and out of what else
/// is logged during this message from the client. Trivially destructible: an error's longjmp
/// restores the callbacks.
struct PrivateStatement {
  ErrorContextCallback callback;
};
static_assert(std::is_trivially_destructible_v<PrivateStatement>);

void begin_private_statement(PrivateStatement &statement);
void end_private_statement(const PrivateStatement &statement);

/// Where credentials were found in clear in a row on its way into its table: takes what the running
/// statement says out of pg_stat_activity, and its literals and parameters out of what is logged
/// during this message from the client.
void hide_statement_with_credentials();

/// Looks at every record on its way to the log, where the library is loaded.
void init_statement_privacy();

} // namespace brainsait
