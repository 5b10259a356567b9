// Keeps tenant tokens and credentials out of pg_stat_activity and the server's log. A token that
// stands in a statement as a literal, or that the log shows as a parameter, would be anybody's for
// as long as it lives: all tenants share one login, and each may see what that login runs.
// Credentials are encrypted in their tables, and would lie in clear beside them.

#include "statement_privacy.hpp"

#include "core/literals.hpp"
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
constexpr char shown_of_credentials[] = "<hidden: it writes credentials>";

// When the message from the client began in which a token was last seen.
TimestampTz private_since = 0;
// The same for credentials.
TimestampTz credentials_since = 0;
emit_log_hook_type previous_hook = nullptr;

bool may_hold_token(const char *statement) {
  return statement != nullptr && strnlen(statement, shortest_text) == shortest_text;
}

void show_instead(const char *text) {
  if (MyBackendType == B_BACKEND)
    pgstat_report_activity(STATE_RUNNING, text);
}

/// Takes what the session runs out of pg_stat_activity, where it could hold a token.
void hide_activity() {
  if (may_hold_token(debug_query_string))
    show_instead(shown_instead);
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

/// The bytes of this cluster's tokens that are known beforehand: the system identifier.
struct KnownBytes {
  std::array<uint8, sizeof(uint64)> bytes;
  char base64[9]; ///< of bytes 1 to 6, which fill the third and fourth group of four characters
};

KnownBytes known_bytes() {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  KnownBytes known = {};
  core::TokenDatabase database = core::token_database(GetSystemIdentifier(), MyDatabaseId);
  std::memcpy(known.bytes.data(), database.data(), known.bytes.size());
  static_assert(core::token_database_offset + 1 == 6);
  for (int group = 0; group < 2; ++group) {
    const uint8 *three = known.bytes.data() + 1 + 3 * group;
    uint32 bits = uint32(three[0]) << 16 | uint32(three[1]) << 8 | three[2];
    for (int i = 0; i < 4; ++i)
      known.base64[4 * group + i] = digits[bits >> (6 * (3 - i)) & 63];
  }
  return known;
}

/// A stretch of text that is a token of this cluster's, in hexadecimal digits or base64.
struct Stretch {
  const char *start;
  std::size_t length;
};

/// The next stretch of hexadecimal digits that begins like a token and is longer than its body.
Stretch find_hex_token(const char *text, const KnownBytes &known) {
  std::size_t length = 0;
  for (const char *at = text;; ++at) {
    if (*at != '\0' && digit_value(*at) >= 0) {
      ++length;
      continue;
    }
    const char *start = at - length;
    bool is_token = length > 2 * core::token_body_size && start[0] == '0' && start[1] == '1';
    for (std::size_t i = 0; is_token && i < known.bytes.size(); ++i) {
      const char *pair = start + 2 * (core::token_database_offset + i);
      is_token = digit_value(pair[0]) * 16 + digit_value(pair[1]) == known.bytes[i];
    }
    if (is_token)
      return {start, length};
    if (*at == '\0')
      return {nullptr, 0};
    length = 0;
  }
}

bool is_base64_character(char character) {
  return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
         (character >= 'a' && character <= 'z') ||
         (character != '\0' && std::strchr("+/-_=", character) != nullptr);
}

/// Whether `text` goes on with those characters of base64, in the alphabet for URLs or the other.
bool continues_with(const char *text, const char *base64) {
  for (; *base64 != '\0'; ++text, ++base64) {
    char character = *text == '-' ? '+' : *text == '_' ? '/' : *text;
    if (character != *base64)
      return false;
  }
  return true;
}

/// The next stretch of base64 with the known bytes where a token has them.
Stretch find_base64_token(const char *text, const KnownBytes &known) {
  constexpr std::ptrdiff_t before = 8;
  for (const char *at = text; *at != '\0'; ++at) {
    if (at - text < before || !continues_with(at, known.base64))
      continue;
    const char *start = at - before;
    std::size_t length = before;
    while (is_base64_character(start[length]))
      ++length;
    return {start, length};
  }
  return {nullptr, 0};
}

bool holds_token(const char *text, const KnownBytes &known) {
  return text != nullptr && (find_hex_token(text, known).start != nullptr ||
                             find_base64_token(text, known).start != nullptr);
}

/// Stars in place of every token of this cluster's in hexadecimal digits or base64.
void star_tokens(char *text, const KnownBytes &known) {
  for (auto find : {find_hex_token, find_base64_token})
    for (;;) {
      Stretch token = find(text, known);
      if (token.start == nullptr)
        break;
      std::memset(text + (token.start - text), '*', token.length);
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

/// What debug_print_parse and its like log: nodes in braces. Constants are lists of numbers there,
/// and strings of utility statements, from PostgreSQL 16 on, are broken into lines.
bool is_tree(const char *text) {
  return text != nullptr && text[std::strspn(text, " \t\n(")] == '{';
}

void star_tree(char *text) {
  if (is_tree(text))
    std::memset(text, '*', std::strlen(text));
}

void clean(ErrorData *record) {
  char *texts[] = {record->message, record->detail,  record->detail_log,
                   record->hint,    record->context, record->internalquery};
  bool is_private = private_since != 0 && private_since == GetCurrentStatementStartTimestamp();
  is_private = is_private || mentions_tokens(debug_query_string);
  for (const char *text : texts)
    is_private = is_private || mentions_tokens(text);

  const KnownBytes known = known_bytes();
  bool holds = holds_token(debug_query_string, known);
  // A parameter's value is a constant of the plan that is made for it.
  if (is_private || holds)
    star_tree(record->detail);
  if ((is_private && may_hold_token(debug_query_string)) || holds) {
    record->hide_stmt = true;
    // Of a statement that fails before it comes to its token, this is the only sight.
    hide_activity();
  }
  for (char *text : texts) {
    if (text == nullptr)
      continue;
    star_tokens(text, known);
    if (is_private)
      star_long_words(text);
  }
}

std::span<char> span(char *text) { return {text, text == nullptr ? 0 : std::strlen(text)}; }

bool may_write_credentials(const char *text) {
  return text != nullptr && core::may_write_credentials(text);
}

/// Errors whose texts quote what could not be read: data exceptions, and syntax errors.
bool quotes_input(int sqlstate) {
  return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION ||
         sqlstate == ERRCODE_SYNTAX_ERROR;
}

/// Takes credentials out of a record. Of an error the client gets the same texts: those that quote
/// nothing are left alone.
void clean_of_credentials(ErrorData *record) {
  // Where the values of EXECUTE go cannot be told from its tree.
  if (is_tree(record->detail) && std::strstr(record->detail, "{EXECUTESTMT") != nullptr)
    star_tree(record->detail);
  bool is_private =
      credentials_since != 0 && credentials_since == GetCurrentStatementStartTimestamp();
  for (const char *text : {debug_query_string, static_cast<const char *>(record->message),
                           static_cast<const char *>(record->detail),
                           static_cast<const char *>(record->internalquery)})
    is_private = is_private || may_write_credentials(text);
  if (!is_private)
    return;
  record->hide_stmt = true;
  record->hide_ctx = true;
  core::star_literals(span(record->internalquery));
  // Of a statement that fails before it comes to a row, this is the only sight.
  if (record->elevel >= ERROR)
    show_instead(shown_of_credentials);
  if (record->elevel < ERROR) {
    core::star_literals(span(record->message));
    star_tree(record->detail);
    core::star_literals(span(record->detail));
  } else if (quotes_input(record->sqlerrcode)) {
    core::star_quoted(span(record->message));
    core::star_quoted(span(record->detail));
  }
}

// In place and without memory of its own: this runs while errors are being reported.
void on_log_record(ErrorData *record) {
  if (record->output_to_server && MyProc != nullptr) {
    clean(record);
    clean_of_credentials(record);
  }
  if (previous_hook != nullptr)
    previous_hook(record);
}

} // namespace

void begin_private_statement(PrivateStatement &statement) {
  private_since = GetCurrentStatementStartTimestamp();
  hide_activity();
  statement.callback.previous = error_context_stack;
  statement.callback.callback = hide;
  statement.callback.arg = nullptr;
  error_context_stack = &statement.callback;
}

void end_private_statement(const PrivateStatement &statement) {
  error_context_stack = statement.callback.previous;
}

void hide_statement_with_credentials() {
  credentials_since = GetCurrentStatementStartTimestamp();
  show_instead(shown_of_credentials);
}

void init_statement_privacy() {
  previous_hook = emit_log_hook;
  emit_log_hook = on_log_record;
}

} // namespace brainsait
