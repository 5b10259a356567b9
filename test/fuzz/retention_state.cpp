// Stored states of retention(), retention_sum() and funnel_counts(); the first byte chooses.

#include "core/retention.hpp"
#include "stored_state.hpp"

using namespace brainsait::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0)
    return 0;
  if (data[0] % 2 == 0)
    return fuzz_stored_state<Retention>(data + 1, size - 1, [](const Retention &retention) {
      for (unsigned i = 0; i < retention.size(); ++i)
        if (retention.holds(i) && !retention.holds(0))
          std::abort();
    });
  return fuzz_stored_state<ElementwiseCounts>(data + 1, size - 1,
                                              [](const ElementwiseCounts &sums) {
                                                for (std::int64_t count : sums.counts())
                                                  if (count < 0)
                                                    std::abort();
                                              });
}
