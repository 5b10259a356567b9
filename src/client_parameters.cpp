#include "client_parameters.hpp"

#include "pg/postgres.hpp"

// Port keeps its shape without them, and their headers need not be installed.
#undef ENABLE_GSS
#undef USE_OPENSSL

extern "C" {
#include "libpq/libpq-be.h"
#include "nodes/pg_list.h"
}

namespace brainsait {
namespace {

constexpr char prefix[] = "brainsait.";
/// What anybody may set at any time: then nothing of an administrator's is lost.
constexpr const char *for_everybody[] = {"rollup_wait"};

/// Where `text` goes on after `name`, or nullptr where it begins otherwise. In the options of a
/// connection a backslash escapes the character after it, and so stands for nothing, and dashes
/// stand for underscores.
const char *after(const char *text, const char *name) {
  for (; *name != '\0'; ++text) {
    if (*text == '\\')
      continue;
    char character = static_cast<char>(pg_tolower(static_cast<unsigned char>(*text)));
    if ((character == '-' ? '_' : character) != *name)
      return nullptr;
    ++name;
  }
  return text;
}

bool may_be_set(const char *parameter) {
  for (const char *name : for_everybody) {
    const char *end = after(parameter, name);
    if (end != nullptr && (*end == '\0' || *end == '='))
      return true;
  }
  return false;
}

/// Whether a text names a parameter of brainsait's that only an administrator sets.
bool names_parameter(const char *text) {
  for (; text != nullptr && *text != '\0'; ++text) {
    const char *parameter = after(text, prefix);
    if (parameter != nullptr && !may_be_set(parameter))
      return true;
  }
  return false;
}

} // namespace

void refuse_client_parameters() {
  // Without a client there is none to refuse; in the postmaster its own parameters are not there
  // yet, and PostgreSQL itself refuses the client's later.
  if (MyProcPort == nullptr || IsParallelWorker())
    return;
  bool named = names_parameter(MyProcPort->cmdline_options);
  // Names and values take turns.
  for (int i = 0; i < list_length(MyProcPort->guc_options); i += 2)
    named = named || names_parameter(static_cast<char *>(list_nth(MyProcPort->guc_options, i)));
  if (!named || superuser_arg(GetAuthenticatedUserId()))
    return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("a client cannot set brainsait's parameters when it connects")));
}

} // namespace brainsait
