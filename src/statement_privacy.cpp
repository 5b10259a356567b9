// Keeps tenant tokens out of pg_stat_activity and the server's log. A token that stands in a
// statement as a literal, or that the log shows as a parameter, would be anybody's for as long as
// it lives: all tenants share one login, and each may see what that login runs.

#include "statement_privacy.hpp"

#include "core/tenant_token.hpp"

extern "C" {
#include "access/xlog.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
}

namespace brainsait {
namespace {

// A statement that is shorter than a token holds none, however it is written.
constexpr std::size_t shortest_text = core::token_size;
// What holds 32 random bytes is longer than this without a blank: base64 of them has 43 characters.
constexpr std::size_t longest_word = 40;
constexpr char sign_of_tokens[] = "set_tenant_token";
constexpr char shown_instead[] = "SELECT set_tenant_token(<hidden>)";

// When the message from the client began in which a token was last seen.
TimestampTz private_since = 0;
emit_log_hook_type previous_hook = nullptr;

bool may_hold_token(const char *statement) {
  return statement != nullptr && strnlen(statement, shortest_text) == shortest_text;
}

void hide(void *) {
  errhidestmt(true);
  errhidecontext(true);
}

bool mentions_tokens(const char *text) {
  if (text == nullptr)
    return false;
  for (; *text != '\0'; ++text)
    if (pg_strncasecmp(text, sign_of_tokens, sizeof sign_of_tokens - 1) == 0)
      return true;
  return false;
}

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  digit = char(digit | 0x20);
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/// Stars in place of the hexadecimal form of any token of this cluster's: its bytes are known up to
/// the key id, and from there on the system identifier is.
void star_hex_tokens(char *text, const core::TokenDatabase &database) {
  std::size_t length = 0;
  for (char *at = text;; ++at) {
    if (*at != '\0' && digit_value(*at) >= 0) {
      ++length;
      continue;
    }
    char *start = at - length;
    bool is_token = length > 2 * core::token_body_size && start[0] == '0' && start[1] == '1';
    for (std::size_t i = 0; is_token && i < sizeof(uint64); ++i) {
      const char *pair = start + 2 * (core::token_database_offset + i);
      is_token = digit_value(pair[0]) * 16 + digit_value(pair[1]) == database[i];
    }
    if (is_token)
      std::memset(start, '*', length);
    if (*at == '\0')
      return;
    length = 0;
  }
}

/// Stars in place of every word that is long enough to hold a signature, in whatever notation.
void star_long_words(char *text) {
  for (;;) {
    text += std::strspn(text, " \t\r\n");
    std::size_t length = std::strcspn(text, " \t\r\n");
    if (length == 0)
      return;
    if (length >= longest_word)
      std::memset(text, '*', length);
    text += length;
  }
}

void clean(ErrorData *record) {
  char *texts[] = {record->message, record->detail,  record->detail_log,
                   record->hint,    record->context, record->internalquery};
  bool is_private = private_since != 0 && private_since == GetCurrentStatementStartTimestamp();
  is_private = is_private || mentions_tokens(debug_query_string);
  for (const char *text : texts)
    is_private = is_private || mentions_tokens(text);

  if (is_private && may_hold_token(debug_query_string))
    record->hide_stmt = true;
  const core::TokenDatabase database = core::token_database(GetSystemIdentifier(), MyDatabaseId);
  for (char *text : texts) {
    if (text == nullptr)
      continue;
    star_hex_tokens(text, database);
    if (is_private)
      star_long_words(text);
  }
}

// In place and without memory of its own: this runs while errors are being reported.
void on_log_record(ErrorData *record) {
  if (record->output_to_server && MyProc != nullptr)
    clean(record);
  if (previous_hook != nullptr)
    previous_hook(record);
}

} // namespace

void begin_private_statement(PrivateStatement &statement) {
  private_since = GetCurrentStatementStartTimestamp();
  if (!IsParallelWorker() && may_hold_token(debug_query_string))
    pgstat_report_activity(STATE_RUNNING, shown_instead);
  statement.callback.previous = error_context_stack;
  statement.callback.callback = hide;
  statement.callback.arg = nullptr;
  error_context_stack = &statement.callback;
}

void end_private_statement(const PrivateStatement &statement) {
  error_context_stack = statement.callback.previous;
}

void init_statement_privacy() {
  previous_hook = emit_log_hook;
  emit_log_hook = on_log_record;
}

} // namespace brainsait
