// Stored states of session_stats().

#include "core/session_stats.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<SessionStats>(data, size, [](const SessionStats &stats) {
    try {
      const SessionTotals totals = stats.totals();
      if (totals.bounces > totals.sessions || totals.sessions > totals.events)
        std::abort();
    } catch (const Error &error) {
      if (error.kind() != ErrorKind::out_of_range)
        std::abort();
    }
  });
}
