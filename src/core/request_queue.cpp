#include "core/request_queue.hpp"

#include <algorithm>
#include <limits>

namespace brainsait::core {

bool RequestQueue::host_has_room(const std::string &host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() || found->second < limits_.connections_per_host;
}

std::int64_t RequestQueue::turn_of(const std::string &endpoint) const {
  const auto found = turns_.find(endpoint);
  return limits_.per_second == 0 || found == turns_.end() ? std::numeric_limits<std::int64_t>::min()
                                                          : found->second;
}

void RequestQueue::take_turn(const std::string &endpoint, std::int64_t now) {
  // Those whose turn has come need no memory.
  std::erase_if(turns_, [now](const auto &turn) { return turn.second <= now; });
  if (limits_.per_second > 0)
    turns_[endpoint] = now + (999'999 + limits_.per_second) / limits_.per_second;
}

std::optional<RequestQueue::Request> RequestQueue::begin_next(std::int64_t now) {
  if (under_way_ >= std::size_t(limits_.connections))
    return std::nullopt;
  const auto next = std::ranges::find_if(waiting_, [this, now](const Request &request) {
    return host_has_room(request.host) && turn_of(request.endpoint) <= now;
  });
  if (next == waiting_.end())
    return std::nullopt;
  take_turn(next->endpoint, now);
  ++hosts_[next->host];
  ++under_way_;
  Request request = std::move(*next);
  waiting_.erase(next);
  return request;
}

void RequestQueue::finished(const std::string &host) noexcept {
  const auto found = hosts_.find(host);
  if (found == hosts_.end())
    return;
  if (--found->second == 0)
    hosts_.erase(found);
  --under_way_;
}

std::optional<std::int64_t> RequestQueue::next_turn() const {
  if (under_way_ >= std::size_t(limits_.connections))
    return std::nullopt;
  std::optional<std::int64_t> earliest;
  for (const Request &request : waiting_) {
    if (!host_has_room(request.host))
      continue;
    const std::int64_t turn = turn_of(request.endpoint);
    earliest = earliest ? std::min(*earliest, turn) : turn;
  }
  return earliest;
}

} // namespace brainsait::core
