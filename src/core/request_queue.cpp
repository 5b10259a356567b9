#include "core/request_queue.hpp"

#include <algorithm>
#include <limits>

namespace brainsait::core {

int RequestQueue::count_of(const Counts &counts, const std::string &key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

void RequestQueue::count_down(Counts &counts, const std::string &key) noexcept {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0)
    counts.erase(found);
}

bool RequestQueue::has_room(const Request &request) const {
  return count_of(hosts_, request.host) < limits_.connections_per_host &&
         count_of(tenants_, request.tenant) < limits_.connections_per_tenant;
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
  auto next = waiting_.end();
  int fewest = std::numeric_limits<int>::max();
  for (auto request = waiting_.begin(); request != waiting_.end() && fewest > 0; ++request) {
    const int tenants_own = count_of(tenants_, request->tenant);
    if (tenants_own < fewest && has_room(*request) && turn_of(request->endpoint) <= now) {
      next = request;
      fewest = tenants_own;
    }
  }
  if (next == waiting_.end())
    return std::nullopt;
  take_turn(next->endpoint, now);
  ++hosts_[next->host];
  ++tenants_[next->tenant];
  ++under_way_;
  Request request = std::move(*next);
  waiting_.erase(next);
  return request;
}

void RequestQueue::finished(const std::string &host, const std::string &tenant) noexcept {
  if (!hosts_.contains(host))
    return;
  count_down(hosts_, host);
  count_down(tenants_, tenant);
  --under_way_;
}

std::optional<std::int64_t> RequestQueue::next_turn() const {
  if (under_way_ >= std::size_t(limits_.connections))
    return std::nullopt;
  std::optional<std::int64_t> earliest;
  for (const Request &request : waiting_) {
    if (!has_room(request))
      continue;
    const std::int64_t turn = turn_of(request.endpoint);
    earliest = earliest ? std::min(*earliest, turn) : turn;
  }
  return earliest;
}

} // namespace brainsait::core
