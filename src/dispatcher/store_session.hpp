#pragma once

#include "dispatcher/sender.hpp"
#include "pg/postgres.hpp"

namespace brainsait::dispatcher {

/// What a look for deliveries found.
struct ClaimPass {
  Sender *sender = nullptr; ///< takes them over
  int most = 0;             ///< how many
  int share = 0;            ///< how many of one tenant
  int full_count = 0;       ///< tenants that are left out
  const Uuid *full = nullptr;
  int64 lease_seconds = 0; ///< how long they are this process's
  int64 latest_begin = 0;  ///< Sender::clock(): when each has to have begun
  int64 claimed = 0;       ///< out
  bool store_is_missing =
      false; ///< out: there is no extension, or one that has no webhooks to send
};

/// Claims deliveries in a transaction of its own, which is committed before the sender hears of
/// them. Raises what the database raises.
void claim_deliveries(ClaimPass &pass);

/// Records the first `count` of the results in one transaction. Raises what the database raises;
/// then none is recorded.
void record_results(const std::deque<Result> &results, std::size_t count);

} // namespace brainsait::dispatcher
