// Stored states of window_funnel().

#include "core/window_funnel.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<WindowFunnel>(data, size, [](const WindowFunnel &funnel) {
    const FunnelMatch match = funnel.match();
    if (match.level > max_funnel_steps)
      std::abort();
  });
}
