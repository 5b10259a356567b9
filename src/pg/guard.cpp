#include "pg/guard.hpp"

namespace brainsait::pg {
namespace {

int sqlstate_of(core::ErrorKind kind) noexcept {
  switch (kind) {
  case core::ErrorKind::invalid_parameter:
    return ERRCODE_INVALID_PARAMETER_VALUE;
  case core::ErrorKind::invalid_text:
    return ERRCODE_INVALID_TEXT_REPRESENTATION;
  case core::ErrorKind::invalid_binary:
    return ERRCODE_INVALID_BINARY_REPRESENTATION;
  case core::ErrorKind::corrupted:
    return ERRCODE_DATA_CORRUPTED;
  case core::ErrorKind::limit_exceeded:
    return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
  case core::ErrorKind::out_of_range:
    return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
  }
  return ERRCODE_INTERNAL_ERROR;
}

void fill(Failure &failure, int sqlstate, const char *message, const char *hint = "") noexcept {
  failure.sqlstate = sqlstate;
  strlcpy(failure.message, message, sizeof failure.message);
  strlcpy(failure.hint, hint, sizeof failure.hint);
}

} // namespace

void record_current_exception(Failure &failure) noexcept {
  try {
    throw;
  } catch (const core::Error &error) {
    fill(failure, sqlstate_of(error.kind()), error.what(), error.hint().c_str());
  } catch (const std::bad_alloc &) {
    fill(failure, ERRCODE_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    fill(failure, ERRCODE_INTERNAL_ERROR, error.what());
  } catch (...) {
    fill(failure, ERRCODE_INTERNAL_ERROR, "unknown C++ exception");
  }
}

void raise(const Failure &failure) {
  ereport(ERROR, (errcode(failure.sqlstate), errmsg("%s", failure.message),
                  failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
  pg_unreachable();
}

} // namespace brainsait::pg
