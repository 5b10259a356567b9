#pragma once

#include <string>
#include <unordered_map>
#include <vector>

namespace brainsait::core {

/// How much of what a worker holds is each tenant's. A tenant of which the worker holds more than a
/// share is left out of further claims, and one claim takes at most a share of it: so no tenant
/// fills the worker, however many endpoints it has that never answer. Every method that is not
/// noexcept may throw std::bad_alloc.
class ClaimShares {
public:
  /// One of the tenant's was claimed.
  void taken(const std::string &tenant);
  /// One of the tenant's is over.
  void done(const std::string &tenant) noexcept;

  /// Tenants of which more than a share is held: to be left out of the claim that follows.
  std::vector<std::string> full(int share) const;

  /// A claim is over, which left out the full ones and took at most a share of each other: those
  /// that may have more are remembered.
  void claim_ended(int share);

  /// Whether one of these may be claimed of again.
  bool claim_is_due(int share) const noexcept;

private:
  using Counts = std::unordered_map<std::string, int>;

  Counts held_;
  Counts taken_; ///< since the last claim ended
  std::vector<std::string> awaited_;
};

} // namespace brainsait::core
