// Files with keys, named by parameters, and read again after every reload of the configuration.

#include "key_file.hpp"

#include "pg/guard.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "storage/fd.h"
}

namespace brainsait {
namespace {

// Keys with many lines of comment.
constexpr std::size_t largest_file = 16'384;

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

/// Reads the open file into `text`; returns its length, or -1 with the reason.
ssize_t read_open_file(int file, std::span<char> text, const char *&reason) {
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

void report(const KeyFile &file, const char *reason) {
  ereport(LOG_SERVER_ONLY,
          (errmsg("%s \"%s\" is not used: %s", file.title, file.path, reason), errhidestmt(true)));
}

} // namespace

bool must_be_read(const KeyFile &file) {
  return !file.is_read || file.read_after_reload != PgReloadTime;
}

bool read_key_file(KeyFile &file, void *keys, void (*parse)(std::string_view, void *)) {
  file.read_after_reload = PgReloadTime;
  file.is_read = true;
  if (file.path == nullptr || file.path[0] == '\0')
    return false;
  // Not to wait for a pipe that nobody writes to.
  int descriptor = OpenTransientFile(file.path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) {
    report(file, strerror(errno));
    return false;
  }
  char text[largest_file + 1];
  const char *reason = nullptr;
  ssize_t length = read_open_file(descriptor, text, reason);
  CloseTransientFile(descriptor);
  pg::Failure failure;
  bool parsed = length >= 0 && pg::guarded(failure, [&] {
                  parse({text, std::size_t(length)}, keys);
                });
  explicit_bzero(text, sizeof text);
  if (!parsed)
    report(file, length < 0 ? reason : failure.message);
  return parsed;
}

} // namespace brainsait
