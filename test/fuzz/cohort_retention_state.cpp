// Stored states of cohort_retention().

#include "core/cohort_retention.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  return fuzz_stored_state<CohortRetention>(data, size, [](const CohortRetention &cohort) {
    for (unsigned period = 1; period < cohort.periods(); ++period)
      (void)cohort.is_active(period);
  });
}
