#pragma once

#include "core/pending_revenue_map.hpp"

#include <array>
#include <compare>
#include <optional>

namespace brainsait::core {

using Uuid = std::array<std::uint8_t, 16>;

/// Names one row of the revenue rollup.
struct RevenueBucket {
  Uuid tenant;
  std::int32_t day;             ///< PostgreSQL's date: days since 2000-01-01, infinities included
  std::array<char, 4> currency; ///< three characters and a zero

  friend auto operator<=>(const RevenueBucket &, const RevenueBucket &) = default;
};
static_assert(sizeof(RevenueBucket) == 24); // no padding: hashed and compared as bytes

/// What a transaction adds to one bucket. Amounts are hundredths of the currency's unit.
struct BucketDelta {
  std::int64_t total = 0;
  std::int64_t paid = 0;
  std::int64_t refunded = 0;
  std::int64_t orders = 0;
  std::int64_t paid_orders = 0;

  friend bool operator==(const BucketDelta &, const BucketDelta &) = default;
};

/// What one order adds to the rollup, apart from refunds. Without a bucket it adds nothing.
struct OrderContribution {
  bool counted = false; ///< has a bucket
  bool paid = false;
  RevenueBucket bucket = {};
  Uuid customer = {};
  std::int64_t total = 0;

  friend bool operator==(const OrderContribution &, const OrderContribution &) = default;
};

struct CustomerInBucket {
  Uuid customer;
  std::uint32_t bucket; ///< index of the bucket's entry in the same RevenueChanges

  friend bool operator==(const CustomerInBucket &, const CustomerInBucket &) = default;
};

/// Where an order's refunds were counted when the transaction began.
enum class Origin : std::uint8_t {
  present, ///< where the order is now: this transaction did not move it
  nowhere, ///< in no bucket
  bucket,  ///< in OrderChange::origin_bucket
};

/// An order whose refunds this transaction changed, or which it took to another bucket.
struct OrderChange {
  Uuid tenant = {};          ///< the tenant that the order belongs to now
  std::int64_t refunded = 0; ///< this transaction's change of the sum of its payments' refunds
  RevenueBucket origin_bucket = {};
  Origin origin = Origin::present;
};

/// Days of a tenant whose rows are to be computed anew from the orders at the end of the
/// transaction.
struct RebuildRange {
  Uuid tenant;
  std::int32_t from_day; ///< both inclusive
  std::int32_t to_day;
  bool done; ///< was computed once in this transaction: needed again only if something else changed

  friend bool operator==(const RebuildRange &, const RebuildRange &) = default;
};

/// The time zone by which a tenant's days were computed.
struct ZoneUse {
  std::uintptr_t zone = 0; ///< any value that names a zone, 0 for none yet
  bool mixed = false;      ///< two zones were used
};

/// Everything that one (sub)transaction changes in the rollup. Sums are checked: overflow throws
/// out_of_range.
class RevenueChanges {
public:
  explicit RevenueChanges(std::pmr::memory_resource *memory)
      : buckets(memory), customers(memory), orders(memory), zones(memory), rebuilds(memory),
        deleted_tenants(memory) {}

  bool empty() const noexcept;

  /// Adds `sign` (+1 or -1) times what an order contributes.
  void add(const OrderContribution &contribution, int sign);

  /// Adds what was counted elsewhere: `delta` to a bucket, and `orders` to a customer's orders
  /// there.
  void add_delta(const RevenueBucket &bucket, const BucketDelta &delta);
  void add_customer(const RevenueBucket &bucket, const Uuid &customer, std::int32_t order_count);

  /// Forgets buckets and customers, which were written down elsewhere just now.
  void mark_appended() noexcept;

  /// Adds to the refunds of an order of `tenant`; 0 only makes the order known.
  void add_refund(const Uuid &tenant, const Uuid &order, std::int64_t amount);

  /// Remembers, unless an earlier move is remembered already, that the order stood in `origin`
  /// before it came to `tenant`, where it is now.
  void move_order(const Uuid &tenant, const Uuid &order,
                  const std::optional<RevenueBucket> &origin);

  /// Remembers the time zone by which `tenant`'s days were computed.
  void use_zone(const Uuid &tenant, std::uintptr_t zone);

  void rebuild(const RebuildRange &range);
  void delete_tenant(const Uuid &tenant);

  /// Every order is gone (TRUNCATE): what was counted so far, here and in the table, is void.
  void clear_all() noexcept;
  /// Every payment is gone: refunds counted so far, here and in the table, are void.
  void clear_refunds() noexcept;

  /// Adds `later`, which happened after this. Throws with this left as it was.
  void merge(RevenueChanges &&later);

  /// Turns the change of one order's refunds into changes of buckets: `present` is the bucket in
  /// which the order stands now, `refunds` the sum of its payments' refunds, both as visible to a
  /// snapshot taken under the order's lock, this transaction's changes included (0 where the order
  /// is gone).
  void settle_order(const OrderChange &order, const std::optional<RevenueBucket> &present,
                    std::int64_t refunds);

  bool cleared_all = false;
  bool cleared_refunds = false;
  bool appended = false; ///< mark_appended() was called
  DenseMap<RevenueBucket, BucketDelta> buckets;
  DenseMap<CustomerInBucket, std::int32_t> customers; ///< change of the customer's orders there
  DenseMap<Uuid, OrderChange> orders;
  DenseMap<Uuid, ZoneUse> zones;
  std::pmr::vector<RebuildRange> rebuilds;
  std::pmr::vector<Uuid> deleted_tenants;

private:
  void require_mergeable(const RevenueChanges &later) const;
  void add_refunded(const RevenueBucket &bucket, std::int64_t amount);
};

/// The changes of a transaction and of its open subtransactions, by nesting level (1: the
/// transaction). A level costs nothing until something is added in it. Ending a level never
/// allocates and never throws: changes of a committed level are only given to the level above it,
/// and merged when the next change is added.
class PendingRevenue {
public:
  explicit PendingRevenue(std::pmr::memory_resource *memory) : memory_(memory), levels_(memory) {}

  /// The changes of the (sub)transaction at `level`, the innermost that is open.
  RevenueChanges &at_level(int level);

  /// Whether some open level knows the order.
  bool knows_order(const Uuid &order) const noexcept;

  void commit_level(int level) noexcept;
  void abort_level(int level) noexcept;

  /// Hands over everything, all levels merged, and is empty afterwards.
  RevenueChanges take();

  bool empty() const noexcept { return levels_.empty(); }

private:
  struct Level {
    int level;
    RevenueChanges changes;
  };
  void merge_top();

  std::pmr::memory_resource *memory_;
  std::pmr::vector<Level> levels_;
};

} // namespace brainsait::core
