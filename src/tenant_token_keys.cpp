// The key file of tenant tokens.

#include "tenant_token_keys.hpp"

#include "pg/guard.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "storage/fd.h"
}

namespace brainsait {
namespace {

// Two keys with many lines of comment.
constexpr std::size_t largest_file = 16'384;

char *key_file = nullptr;
core::TokenKeys keys;
bool keys_are_read = false;
TimestampTz read_after_reload = 0;

/// Why a file of these properties is not to be trusted with a key, or nullptr: PostgreSQL's own
/// rule for the private key of TLS.
const char *distrust(const struct stat &properties) {
  if (!S_ISREG(properties.st_mode))
    return "it is not a regular file";
  if (properties.st_uid != geteuid() && properties.st_uid != 0)
    return "it must be owned by the server's user or root";
  bool is_ours = properties.st_uid == geteuid();
  mode_t forbidden = is_ours ? S_IRWXG | S_IRWXO : S_IWGRP | S_IXGRP | S_IRWXO;
  if ((properties.st_mode & forbidden) != 0)
    return "others have access to it: its permissions must be u=rw (0600) or less where the "
           "server's user owns it, u=rw,g=r (0640) or less where root does";
  if (properties.st_size > off_t(largest_file))
    return "it is too large";
  return nullptr;
}

/// Reads the file into `text`; returns its length, or -1 with the reason.
ssize_t read_file(int file, std::span<char> text, const char *&reason) {
  struct stat properties;
  if (fstat(file, &properties) != 0) {
    reason = strerror(errno);
    return -1;
  }
  reason = distrust(properties);
  if (reason != nullptr)
    return -1;
  std::size_t length = 0;
  while (length < text.size()) {
    ssize_t count = read(file, text.data() + length, text.size() - length);
    if (count == 0)
      return ssize_t(length);
    if (count < 0 && errno != EINTR) {
      reason = strerror(errno);
      return -1;
    }
    length += count > 0 ? std::size_t(count) : 0;
  }
  reason = "it is too large";
  return -1;
}

void report(const char *reason) {
  ereport(LOG_SERVER_ONLY,
          (errmsg("token key file \"%s\" is not used: %s", key_file, reason), errhidestmt(true)));
}

void read_keys() {
  explicit_bzero(&keys, sizeof keys);
  if (key_file == nullptr || key_file[0] == '\0')
    return;
  // Not to wait for a pipe that nobody writes to.
  int file = OpenTransientFile(key_file, O_RDONLY | O_NONBLOCK);
  if (file < 0) {
    report(strerror(errno));
    return;
  }
  char text[largest_file + 1];
  const char *reason = nullptr;
  ssize_t length = read_file(file, text, reason);
  CloseTransientFile(file);
  if (length < 0) {
    report(reason);
    return;
  }
  pg::Failure failure;
  bool parsed = pg::guarded(failure, [&] {
    keys = core::parse_token_keys({text, std::size_t(length)});
  });
  explicit_bzero(text, sizeof text);
  if (!parsed)
    report(failure.message);
}

} // namespace

const core::TokenKeys &live_token_keys() {
  if (!keys_are_read || read_after_reload != PgReloadTime) {
    read_after_reload = PgReloadTime;
    keys_are_read = true;
    read_keys();
  }
  return keys;
}

void init_tenant_token_keys() {
  DefineCustomStringVariable(
      "brainsait.token_key_file", "File with the keys that sign tenant tokens.",
      "One or two lines: a key id and 32 to 64 bytes in hexadecimal digits. Read again when the "
      "configuration is reloaded. A relative path starts at the data directory.",
      &key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
}

} // namespace brainsait
