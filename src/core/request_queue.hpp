#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>

namespace brainsait::core {

/// How much may be under way. No connections: nothing begins; rate 0: no limit.
struct RequestLimits {
  int connections = 1;                                          ///< requests at one time
  int connections_per_host = 1;                                 ///< of those, to one host and port
  int connections_per_tenant = std::numeric_limits<int>::max(); ///< of those, of one tenant
  int per_second = 0; ///< requests that begin within a second, to one endpoint
};

/// Requests that wait for their turn, and which of them may begin. Those go first whose tenant has
/// the fewest under way, so that one whose endpoints are slow delays no other; of these in order of
/// arrival, except that whoever waits for a host, its tenant's share or a rate lets the others
/// pass. Times are microseconds on any clock that does not go back.
class RequestQueue {
public:
  using Id = std::uint64_t;

  struct Request {
    Id id = 0;
    std::string host;     ///< with its port: what connections_per_host counts by
    std::string endpoint; ///< what per_second counts by
    std::string tenant;   ///< what connections_per_tenant counts by
  };

  void set_limits(const RequestLimits &limits) noexcept { limits_ = limits; }

  void add(Request request) { waiting_.push_back(std::move(request)); }

  /// Takes out the one that is to begin now; from then on it counts as under way.
  std::optional<Request> begin_next(std::int64_t now);

  /// A request of that tenant to that host, which begin_next() gave, is over.
  void finished(const std::string &host, const std::string &tenant) noexcept;

  /// When a request that waits for nothing but its endpoint's rate may begin; nothing where there
  /// is none. To be asked after begin_next() had nothing more.
  std::optional<std::int64_t> next_turn() const;

  std::size_t waiting() const noexcept { return waiting_.size(); }
  std::size_t under_way() const noexcept { return under_way_; }

private:
  using Counts = std::unordered_map<std::string, int>;

  static int count_of(const Counts &counts, const std::string &key);
  static void count_down(Counts &counts, const std::string &key) noexcept;
  bool has_room(const Request &request) const;
  /// When the endpoint may be sent the next request.
  std::int64_t turn_of(const std::string &endpoint) const;
  void take_turn(const std::string &endpoint, std::int64_t now);

  RequestLimits limits_;
  std::deque<Request> waiting_;
  std::size_t under_way_ = 0;
  Counts hosts_;                                        ///< requests under way
  Counts tenants_;                                      ///< likewise
  std::unordered_map<std::string, std::int64_t> turns_; ///< of endpoints that may have to wait
};

} // namespace brainsait::core
