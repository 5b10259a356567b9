#pragma once

#include "core/error.hpp"
#include "pg/postgres.hpp"

namespace brainsait::pg {

/// What a guarded piece of C++ failed with. Trivially destructible, so that raise() may leave the
/// frame that holds it by longjmp.
struct Failure {
  // Clearing all of both texts would cost a guarded transition function more than its work.
  Failure() noexcept { message[0] = hint[0] = '\0'; }

  int sqlstate = 0;
  char message[512];
  char hint[256];
};
static_assert(std::is_trivially_destructible_v<Failure>);

/// Copies the exception being handled into `failure`. Called inside a catch block only.
void record_current_exception(Failure &failure) noexcept;

/// Raises `failure` as a PostgreSQL error. Called outside every C++ object with a destructor.
[[noreturn]] void raise(const Failure &failure);

/// Runs plain C++ that may throw; nothing inside may call a PostgreSQL function that can ereport.
/// Returns false with `failure` filled when it threw.
template <typename Body> bool guarded(Failure &failure, Body &&body) noexcept {
  try {
    body();
    return true;
  } catch (...) {
    record_current_exception(failure);
    return false;
  }
}

/// guarded(), and the error raised at once: for callers whose own frame holds nothing to destroy.
template <typename Body> void run_guarded(Body &&body) {
  Failure failure;
  if (!guarded(failure, body))
    raise(failure);
}

} // namespace brainsait::pg
