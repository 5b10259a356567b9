// PendingRevenue against a model that knows nothing of deltas: a small store whose state is copied
// at every savepoint, and whose rollup is computed from its orders from scratch.

#include "core/pending_revenue.hpp"
#include "core/pending_revenue_amount.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace brainsait::core {
namespace {

Uuid uuid(int number) {
  Uuid id{};
  id[0] = static_cast<std::uint8_t>(number >> 8);
  id[15] = static_cast<std::uint8_t>(number);
  return id;
}

RevenueBucket bucket(int tenant, int day, const char *currency = "USD") {
  return {uuid(tenant), day, {currency[0], currency[1], currency[2], '\0'}};
}

struct Order {
  OrderContribution contribution;
  Uuid tenant;
  std::int64_t refunds = 0; ///< sum over its payments
};

using Orders = std::map<Uuid, Order>;
using CustomerKey = std::pair<RevenueBucket, Uuid>;

struct Rollup {
  std::map<RevenueBucket, BucketDelta> buckets;
  std::map<CustomerKey, std::int64_t> customers;

  void drop_zeros() {
    std::erase_if(buckets, [](const auto &entry) { return entry.second == BucketDelta{}; });
    std::erase_if(customers, [](const auto &entry) { return entry.second == 0; });
  }
  bool operator==(const Rollup &) const = default;
};

Rollup rollup_of(const Orders &orders) {
  Rollup rollup;
  for (const auto &[id, order] : orders) {
    const OrderContribution &contribution = order.contribution;
    if (!contribution.counted)
      continue;
    BucketDelta &sums = rollup.buckets[contribution.bucket];
    sums.total += contribution.total;
    sums.orders += 1;
    sums.paid += contribution.paid ? contribution.total : 0;
    sums.paid_orders += contribution.paid ? 1 : 0;
    sums.refunded += order.refunds;
    rollup.customers[{contribution.bucket, contribution.customer}] += 1;
  }
  rollup.drop_zeros();
  return rollup;
}

bool covers(const RebuildRange &range, const RevenueBucket &bucket) {
  return range.tenant == bucket.tenant && range.from_day <= bucket.day &&
         bucket.day <= range.to_day;
}

/// Adds the buckets and customers of `changes`.
void add_to(Rollup &rollup, const RevenueChanges &changes) {
  for (const auto &entry : changes.buckets) {
    BucketDelta &sums = rollup.buckets[entry.key];
    sums.total += entry.value.total;
    sums.paid += entry.value.paid;
    sums.refunded += entry.value.refunded;
    sums.orders += entry.value.orders;
    sums.paid_orders += entry.value.paid_orders;
  }
  for (const auto &entry : changes.customers)
    rollup.customers[{changes.buckets[entry.key.bucket].key, entry.key.customer}] += entry.value;
}

/// Applies what a transaction collected to the rollup as it was before, the way the flush does;
/// `appended` is what it wrote down before its end.
void apply(RevenueChanges changes, const Rollup &appended, const Orders &orders, Rollup &rollup) {
  EXPECT_TRUE(changes.appended || appended == Rollup{});
  if (changes.cleared_all)
    rollup = {};
  if (changes.cleared_refunds)
    for (auto &entry : rollup.buckets)
      entry.second.refunded = 0;
  for (const auto &entry : changes.orders) {
    auto found = orders.find(entry.key);
    std::optional<RevenueBucket> present;
    if (found != orders.end() && found->second.contribution.counted)
      present = found->second.contribution.bucket;
    if (found != orders.end() && found->second.refunds != 0) { // the flush looks it up there
      EXPECT_EQ(entry.value.tenant, found->second.tenant);
    }
    changes.settle_order(entry.value, present, found == orders.end() ? 0 : found->second.refunds);
  }
  add_to(rollup, changes);
  std::pmr::unsynchronized_pool_resource memory;
  RevenueChanges early(&memory); // as the fold adds them up
  for (const auto &[key, delta] : appended.buckets)
    early.add_delta(key, delta);
  for (const auto &[key, order_count] : appended.customers)
    early.add_customer(key.first, key.second, static_cast<std::int32_t>(order_count));
  add_to(rollup, early);

  Rollup rebuilt = rollup_of(orders);
  for (const RebuildRange &range : changes.rebuilds) {
    std::erase_if(rollup.buckets, [&](const auto &entry) { return covers(range, entry.first); });
    std::erase_if(rollup.customers,
                  [&](const auto &entry) { return covers(range, entry.first.first); });
    for (const auto &entry : rebuilt.buckets)
      if (covers(range, entry.first))
        rollup.buckets.insert(entry);
    for (const auto &entry : rebuilt.customers)
      if (covers(range, entry.first.first))
        rollup.customers.insert(entry);
  }
  rollup.drop_zeros();
}

class RandomStore {
public:
  explicit RandomStore(unsigned seed) : random_(seed), pending_(&memory_) {}

  void run_transaction() {
    level_ = 1;
    saved_.assign(1, orders_);
    appended_ = {};
    saved_appended_.assign(1, appended_);
    int steps = pick(60);
    for (int i = 0; i < steps; ++i)
      step();
    while (level_ > 1)
      end_savepoint(pick(3) != 0);
    if (pick(10) == 0) { // the whole transaction rolls back
      orders_ = saved_.front();
      pending_.abort_level(1);
    } else {
      apply(pending_.take(), appended_, orders_, rollup_);
    }
    ASSERT_TRUE(pending_.empty());
    ASSERT_EQ(rollup_, rollup_of(orders_));
  }

  bool saw_rollback_of_clear = false;

private:
  int pick(int bound) { return int(random_() % unsigned(bound)); }

  OrderContribution random_contribution() {
    OrderContribution contribution;
    contribution.counted = pick(8) != 0;
    if (!contribution.counted)
      return contribution;
    contribution.paid = pick(2) != 0;
    contribution.bucket = bucket(pick(2), pick(3), pick(4) != 0 ? "USD" : "SAR");
    contribution.customer = uuid(100 + pick(3));
    contribution.total = pick(5000);
    return contribution;
  }

  Uuid tenant_of(const OrderContribution &contribution) {
    return contribution.counted ? contribution.bucket.tenant : uuid(pick(2));
  }

  Orders::iterator random_order() {
    auto order = orders_.begin();
    std::advance(order, pick(int(orders_.size())));
    return order;
  }

  RevenueChanges &changes() { return pending_.at_level(level_); }

  void step() {
    int what = pick(100);
    if (what < 8) {
      saved_.push_back(orders_);
      saved_appended_.push_back(appended_);
      cleared_.resize(saved_.size());
      ++level_;
    } else if (what < 16) {
      if (level_ > 1)
        end_savepoint(pick(2) != 0);
    } else if (what < 45 || orders_.empty()) {
      insert_order();
    } else if (what < 65) {
      update_order(random_order());
    } else if (what < 75) {
      delete_order(random_order());
    } else if (what < 80) { // its memory is full
      add_to(appended_, changes());
      changes().mark_appended();
    } else if (what < 95) {
      auto order = random_order();
      std::int64_t amount = pick(200) - 60;
      order->second.refunds += amount;
      changes().add_refund(order->second.tenant, order->first, amount);
    } else if (what < 96) {
      orders_.clear();
      appended_ = {}; // the trigger deletes the transaction's own
      changes().clear_all();
      cleared_.resize(saved_.size());
      cleared_.back() = true;
    } else if (what < 97) {
      for (auto &[id, order] : orders_)
        order.refunds = 0;
      changes().clear_refunds();
    } else if (what < 99) {
      changes().rebuild({uuid(pick(2)), pick(3), 1 + pick(2), false});
    }
  }

  void insert_order() {
    OrderContribution contribution = random_contribution();
    Uuid tenant = tenant_of(contribution);
    if (orders_.insert({uuid(1000 + pick(25)), {contribution, tenant}}).second)
      changes().add(contribution, +1);
  }

  void update_order(Orders::iterator order) {
    OrderContribution before = order->second.contribution;
    OrderContribution after = random_contribution();
    if (pick(2) != 0 && before.counted) { // stays where it is
      after.counted = true;
      after.bucket = before.bucket;
    }
    Uuid tenant = order->second.tenant;
    order->second.contribution = after;
    order->second.tenant = tenant_of(after);
    changes().add(before, -1);
    changes().add(after, +1);
    bool moved = tenant != order->second.tenant || before.counted != after.counted ||
                 (before.counted && before.bucket != after.bucket);
    if (moved)
      changes().move_order(order->second.tenant, order->first, bucket_of(before));
  }

  void delete_order(Orders::iterator order) {
    Uuid id = order->first;
    Order gone = order->second;
    orders_.erase(order);
    if (gone.refunds != 0)
      changes().add_refund(gone.tenant, id, 0); // what the trigger before the payments' update does
    changes().add(gone.contribution, -1);
    if (pending_.knows_order(id))
      changes().move_order(gone.tenant, id, bucket_of(gone.contribution));
    if (gone.refunds != 0)
      changes().add_refund(gone.tenant, id, -gone.refunds);
  }

  static std::optional<RevenueBucket> bucket_of(const OrderContribution &contribution) {
    return contribution.counted ? std::optional(contribution.bucket) : std::nullopt;
  }

  void end_savepoint(bool commit) {
    cleared_.resize(saved_.size());
    if (commit) {
      pending_.commit_level(level_);
    } else {
      saw_rollback_of_clear = saw_rollback_of_clear || cleared_.back();
      orders_ = saved_.back();
      appended_ = saved_appended_.back();
      pending_.abort_level(level_);
    }
    cleared_.pop_back();
    saved_.pop_back();
    saved_appended_.pop_back();
    --level_;
  }

  std::mt19937 random_;
  std::pmr::unsynchronized_pool_resource memory_;
  PendingRevenue pending_;
  Orders orders_;
  Rollup rollup_;
  int level_ = 1;
  Rollup appended_; ///< by this transaction, ahead of its end
  std::vector<Orders> saved_;
  std::vector<Rollup> saved_appended_;
  std::vector<bool> cleared_;
};

TEST(PendingRevenue, EqualsRecomputationAfterRandomTransactions) {
  bool saw_rollback_of_clear = false;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomStore store(seed);
    for (int i = 0; i < 100; ++i) {
      store.run_transaction();
      if (::testing::Test::HasFatalFailure())
        return;
    }
    saw_rollback_of_clear = saw_rollback_of_clear || store.saw_rollback_of_clear;
  }
  EXPECT_TRUE(saw_rollback_of_clear); // else the walk is not as wide as it is meant to be
}

OrderContribution one_order(std::int64_t total, int customer = 7) {
  return {.counted = true,
          .paid = true,
          .bucket = bucket(1, 10),
          .customer = uuid(customer),
          .total = total};
}

TEST(PendingRevenue, ManySavepointsStaySmall) {
  // One savepoint per row, as a loop with an exception block makes them, at two depths.
  std::pmr::unsynchronized_pool_resource memory;
  PendingRevenue pending(&memory);
  for (int i = 0; i < 100'000; ++i) {
    pending.at_level(3).add(one_order(1, i % 100), +1);
    pending.commit_level(3);
    if (i % 1000 == 999)
      pending.commit_level(2);
  }
  RevenueChanges changes = pending.take();
  ASSERT_EQ(changes.buckets.size(), 1u);
  EXPECT_EQ(changes.buckets[0].value.orders, 100'000);
  EXPECT_EQ(changes.customers.size(), 100u);
  EXPECT_EQ(changes.customers[5].value, 1000);
}

TEST(PendingRevenue, OverflowIsRefusedAndLeavesMergedLevelsWhole) {
  std::pmr::unsynchronized_pool_resource memory;
  PendingRevenue pending(&memory);
  pending.at_level(1).add(one_order(INT64_MAX - 5), +1);
  pending.at_level(2).add(one_order(6, 8), +1);
  pending.commit_level(2);
  EXPECT_THROW(pending.at_level(2), Error); // merges 2 into 1
  EXPECT_THROW(pending.take(), Error);
  pending.abort_level(1);
  EXPECT_TRUE(pending.empty());

  RevenueChanges first(&memory), second(&memory);
  first.add(one_order(INT64_MAX - 5), +1);
  second.add(one_order(6, 8), +1);
  EXPECT_THROW(first.merge(std::move(second)), Error);
  EXPECT_EQ(first.buckets[0].value.total, INT64_MAX - 5);
  EXPECT_EQ(first.buckets[0].value.orders, 1);
  EXPECT_EQ(first.customers.size(), 1u);
}

TEST(PendingRevenue, OneMillionCustomersFitInSixtyFourMegabytes) {
  struct Counting final : std::pmr::memory_resource {
    std::size_t now = 0, most = 0;
    void *do_allocate(std::size_t bytes, std::size_t alignment) override {
      now += bytes;
      most = std::max(most, now);
      return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void *memory, std::size_t bytes, std::size_t alignment) override {
      now -= bytes;
      std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    bool do_is_equal(const memory_resource &other) const noexcept override {
      return this == &other;
    }
  } memory;
  {
    PendingRevenue pending(&memory);
    std::mt19937_64 random(1);
    OrderContribution order = one_order(100);
    for (int i = 0; i < 1'000'000; ++i) {
      std::uint64_t words[2] = {random(), random()};
      std::memcpy(order.customer.data(), words, sizeof words);
      pending.at_level(1).add(order, +1);
    }
    EXPECT_EQ(pending.take().customers.size(), 1'000'000u);
    RecordProperty("peak_bytes", std::to_string(memory.most));
    std::printf("one million customers: %.1f MB at most\n", double(memory.most) / 1e6);
    EXPECT_LT(memory.most, 64u << 20);
  }
  EXPECT_EQ(memory.now, 0u);
}

TEST(PendingRevenue, ZonesOfRolledBackSavepointsDoNotCount) {
  std::pmr::unsynchronized_pool_resource memory;
  PendingRevenue pending(&memory);
  pending.at_level(1).use_zone(uuid(1), 11);
  pending.at_level(2).use_zone(uuid(1), 12);
  pending.abort_level(2);
  pending.at_level(1).use_zone(uuid(1), 11);
  RevenueChanges kept = pending.take();
  EXPECT_FALSE(kept.zones[0].value.mixed);

  pending.at_level(1).use_zone(uuid(1), 11);
  pending.at_level(2).use_zone(uuid(1), 12);
  pending.commit_level(2);
  RevenueChanges merged = pending.take();
  EXPECT_TRUE(merged.zones[0].value.mixed);
  EXPECT_EQ(merged.zones[0].value.zone, 12u);
}

TEST(PendingRevenue, AZoneThatWasUsedIsSomethingToCheck) {
  std::pmr::unsynchronized_pool_resource memory;
  PendingRevenue pending(&memory);
  EXPECT_TRUE(pending.at_level(1).empty());
  pending.at_level(1).use_zone(uuid(1), 11);
  EXPECT_FALSE(pending.take().empty());
}

TEST(RevenueAmount, ReadsHundredthsExactly) {
  EXPECT_EQ(parse_hundredths("0"), 0);
  EXPECT_EQ(parse_hundredths("12.5"), 1250);
  EXPECT_EQ(parse_hundredths("-12.50"), -1250);
  EXPECT_EQ(parse_hundredths("0.01"), 1);
  EXPECT_EQ(parse_hundredths("99999999.99"), 9999999999);
  EXPECT_EQ(parse_hundredths("1.2300000"), 123);
  EXPECT_EQ(parse_hundredths("92233720368547758.07"), INT64_MAX);
  EXPECT_EQ(parse_hundredths("-92233720368547758.07"), -INT64_MAX);
}

TEST(RevenueAmount, RefusesWhatIsNoAmount) {
  for (const char *text : {"", "-", ".", "NaN", "Infinity", "-Infinity", "1.2.3", "1e5", "1.001",
                           "0.0000001", "--1", "+1", " 1"})
    EXPECT_THROW(parse_hundredths(text), Error) << text;
  for (const char *text :
       {"92233720368547758.08", "-92233720368547758.08", "1000000000000000000"}) {
    try {
      parse_hundredths(text);
      ADD_FAILURE() << text;
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::out_of_range) << text;
    }
  }
}

} // namespace
} // namespace brainsait::core
