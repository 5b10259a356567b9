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

/// Whether a text names a parameter of brainsait's anywhere. A backslash escapes the character
/// after it in the options of a connection, so it stands for nothing.
bool names_parameter(const char *text) {
  for (; text != nullptr && *text != '\0'; ++text) {
    std::size_t matched = 0;
    for (const char *at = text; *at != '\0' && matched < sizeof prefix - 1; ++at) {
      if (*at == '\\')
        continue;
      if (pg_tolower(static_cast<unsigned char>(*at)) != prefix[matched])
        break;
      ++matched;
    }
    if (matched == sizeof prefix - 1)
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
