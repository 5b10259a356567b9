#include "core/claim_shares.hpp"

#include <algorithm>

namespace brainsait::core {

void ClaimShares::taken(const std::string &tenant) {
  ++taken_[tenant];
  ++held_[tenant];
}

void ClaimShares::done(const std::string &tenant) noexcept {
  const auto found = held_.find(tenant);
  if (found != held_.end() && --found->second == 0)
    held_.erase(found);
}

std::vector<std::string> ClaimShares::full(int share) const {
  std::vector<std::string> tenants;
  for (const auto &[tenant, count] : held_)
    if (count > share)
      tenants.push_back(tenant);
  return tenants;
}

void ClaimShares::claim_ended(int share) {
  awaited_ = full(share);
  for (const auto &[tenant, count] : taken_)
    if (count >= share)
      awaited_.push_back(tenant);
  taken_.clear();
}

bool ClaimShares::claim_is_due(int share) const noexcept {
  return std::ranges::any_of(awaited_, [this, share](const std::string &tenant) {
    const auto found = held_.find(tenant);
    return found == held_.end() || found->second <= share;
  });
}

} // namespace brainsait::core
