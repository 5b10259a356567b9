#include "core/claim_shares.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using brainsait::core::ClaimShares;

using Tenants = std::vector<std::string>;

void take(ClaimShares &shares, const std::string &tenant, int count) {
  for (int i = 0; i < count; ++i)
    shares.taken(tenant);
}

TEST(ClaimShares, ATenantIsFullWithMoreThanAShare) {
  ClaimShares shares;
  take(shares, "a", 3);
  EXPECT_EQ(shares.full(3), Tenants{});
  take(shares, "a", 1);
  take(shares, "b", 1);
  EXPECT_EQ(shares.full(3), Tenants{"a"});
  shares.done("a");
  EXPECT_EQ(shares.full(3), Tenants{});
}

TEST(ClaimShares, AnotherClaimIsDueAtOnceWhereAShareWasTaken) {
  ClaimShares shares;
  take(shares, "a", 3);
  EXPECT_FALSE(shares.claim_is_due(3)) << "no claim has ended";
  shares.claim_ended(3);
  EXPECT_TRUE(shares.claim_is_due(3)) << "there may be more";
  shares.claim_ended(3);
  EXPECT_FALSE(shares.claim_is_due(3)) << "there was none";
}

TEST(ClaimShares, OfAFullTenantWhenItIsNotAnyMore) {
  ClaimShares shares;
  take(shares, "a", 3);
  shares.claim_ended(3);
  take(shares, "a", 2);
  shares.claim_ended(3);
  EXPECT_FALSE(shares.claim_is_due(3));
  shares.done("a");
  EXPECT_FALSE(shares.claim_is_due(3)) << "four are held";
  shares.done("a");
  EXPECT_TRUE(shares.claim_is_due(3));
}

TEST(ClaimShares, WhoHasLessThanAShareAsksForNoClaim) {
  ClaimShares shares;
  take(shares, "a", 2);
  shares.claim_ended(3);
  EXPECT_FALSE(shares.claim_is_due(3));
  shares.done("a");
  shares.done("a");
  shares.done("a");
  EXPECT_FALSE(shares.claim_is_due(3));
}

// A store of many tenants that never answer, and one that does: the worker claims whenever that is
// due, and answers come in any order. Nothing stays unclaimed while nothing is under way, and no
// tenant ever holds two shares.
TEST(ClaimShares, NothingIsForgottenAndNobodyTakesMoreThanTwoShares) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const int share = 1 + int(random() % 4);
    std::map<std::string, int> open, held;
    for (int tenant = 0; tenant < 5; ++tenant)
      open[std::string(1, char('a' + tenant))] = int(random() % 30);
    ClaimShares shares;
    bool is_due = true;
    for (int step = 0; step < 10'000; ++step) {
      if (is_due || shares.claim_is_due(share)) {
        const Tenants left_out = shares.full(share);
        for (auto &[tenant, count] : open) {
          if (std::ranges::find(left_out, tenant) != left_out.end())
            continue;
          const int given = std::min(count, share);
          take(shares, tenant, given);
          held[tenant] += given;
          count -= given;
          ASSERT_LE(held[tenant], 2 * share);
        }
        shares.claim_ended(share);
        is_due = false;
        continue;
      }
      Tenants busy;
      for (const auto &[tenant, count] : held)
        if (count > 0)
          busy.push_back(tenant);
      if (busy.empty())
        break;
      const std::string &one = busy[random() % busy.size()];
      --held[one];
      shares.done(one);
    }
    for (const auto &[tenant, count] : open)
      EXPECT_EQ(count + held[tenant], 0) << "seed " << seed << ", tenant " << tenant;
  }
}

} // namespace
