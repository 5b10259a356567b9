#pragma once

#include "core/key_file.hpp"
#include "pg/postgres.hpp"

namespace brainsait {

/// A file with keys that a parameter names.
struct KeyFile {
  const char *title;    ///< what the log calls it
  char *path = nullptr; ///< the parameter's value; a relative path starts at the data directory
  bool is_read = false; ///< false again, and it is read when keys are next asked for
  TimestampTz read_after_reload = 0;
};

/// Whether the file was never read, or the configuration has been reloaded since.
bool must_be_read(const KeyFile &file);

/// Reads the file and hands its text to `parse`, which runs guarded. False, with the reason in the
/// server's log, where the file cannot be read, is open to others or malformed. Raises nothing but
/// out of memory.
bool read_key_file(KeyFile &file, void *keys, void (*parse)(std::string_view, void *));

/// The live keys of the file; none where the parameter is empty or the file not to be used.
template <typename Keys> const Keys &live_keys(KeyFile &file, Keys &keys) {
  if (must_be_read(file)) {
    explicit_bzero(&keys, sizeof keys);
    if (!read_key_file(file, &keys, [](std::string_view text, void *into) {
          core::parse_key_file(text, *static_cast<Keys *>(into));
        }))
      explicit_bzero(&keys, sizeof keys);
  }
  return keys;
}

} // namespace brainsait
