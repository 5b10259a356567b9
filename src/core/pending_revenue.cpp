#include "core/pending_revenue.hpp"

#include <algorithm>

namespace brainsait::core {
namespace {

template <typename Integer> Integer sum_of(Integer left, Integer right) {
  Integer sum;
  if (__builtin_add_overflow(left, right, &sum))
    throw Error(ErrorKind::out_of_range, "revenue of one transaction is out of range");
  return sum;
}

BucketDelta sum_of(const BucketDelta &left, const BucketDelta &right) {
  return {sum_of(left.total, right.total), sum_of(left.paid, right.paid),
          sum_of(left.refunded, right.refunded), sum_of(left.orders, right.orders),
          sum_of(left.paid_orders, right.paid_orders)};
}

void merge_zone(ZoneUse &use, const ZoneUse &later) noexcept {
  use.mixed = use.mixed || later.mixed || (use.zone != 0 && use.zone != later.zone);
  use.zone = later.zone;
}

void remember_origin(OrderChange &order, const OrderChange &later) noexcept {
  if (order.origin != Origin::present)
    return;
  order.origin = later.origin;
  order.origin_bucket = later.origin_bucket;
}

template <typename Element>
void append_missing(std::pmr::vector<Element> &list, const Element &element) {
  if (std::find(list.begin(), list.end(), element) == list.end())
    list.push_back(element);
}

} // namespace

bool RevenueChanges::empty() const noexcept {
  return !cleared_all && !cleared_refunds && !appended && buckets.empty() && orders.empty() &&
         zones.empty() && rebuilds.empty() && deleted_tenants.empty();
}

void RevenueChanges::add(const OrderContribution &contribution, int sign) {
  if (!contribution.counted)
    return;
  std::uint32_t bucket = buckets.find_or_insert(contribution.bucket);
  // |total| of a numeric(10,2) and of any value the boundary accepts can be negated.
  std::int64_t total = sign < 0 ? -contribution.total : contribution.total;
  BucketDelta delta = {.total = total, .orders = sign};
  if (contribution.paid) {
    delta.paid = total;
    delta.paid_orders = sign;
  }
  buckets[bucket].value = sum_of(buckets[bucket].value, delta);

  std::uint32_t customer = customers.find_or_insert({contribution.customer, bucket});
  customers[customer].value = sum_of(customers[customer].value, std::int32_t{sign});
}

void RevenueChanges::add_delta(const RevenueBucket &bucket, const BucketDelta &delta) {
  BucketDelta &own = buckets[buckets.find_or_insert(bucket)].value;
  own = sum_of(own, delta);
}

void RevenueChanges::add_customer(const RevenueBucket &bucket, const Uuid &customer,
                                  std::int32_t order_count) {
  std::uint32_t index = buckets.find_or_insert(bucket);
  std::int32_t &own = customers[customers.find_or_insert({customer, index})].value;
  own = sum_of(own, order_count);
}

void RevenueChanges::mark_appended() noexcept {
  buckets.clear();
  customers.clear();
  appended = true;
}

void RevenueChanges::add_refund(const Uuid &tenant, const Uuid &order, std::int64_t amount) {
  OrderChange &change = orders[orders.find_or_insert(order)].value;
  change.tenant = tenant;
  change.refunded = sum_of(change.refunded, amount);
}

void RevenueChanges::move_order(const Uuid &tenant, const Uuid &order,
                                const std::optional<RevenueBucket> &origin) {
  OrderChange &change = orders[orders.find_or_insert(order)].value;
  change.tenant = tenant;
  OrderChange moved = {.origin_bucket = origin.value_or(RevenueBucket{}),
                       .origin = origin ? Origin::bucket : Origin::nowhere};
  remember_origin(change, moved);
}

void RevenueChanges::use_zone(const Uuid &tenant, std::uintptr_t zone) {
  merge_zone(zones[zones.find_or_insert(tenant)].value, {.zone = zone});
}

void RevenueChanges::rebuild(const RebuildRange &range) { append_missing(rebuilds, range); }

void RevenueChanges::delete_tenant(const Uuid &tenant) { append_missing(deleted_tenants, tenant); }

void RevenueChanges::clear_all() noexcept {
  buckets.clear();
  customers.clear();
  orders.clear();
  zones.clear();
  cleared_all = true;
}

void RevenueChanges::clear_refunds() noexcept {
  for (auto &order : orders)
    order.value.refunded = 0;
  cleared_refunds = true;
}

void RevenueChanges::require_mergeable(const RevenueChanges &later) const {
  for (const auto &entry : later.buckets) {
    std::uint32_t own = buckets.find(entry.key);
    if (own == buckets.none)
      continue;
    (void)sum_of(buckets[own].value, entry.value);
  }
  for (const auto &entry : later.customers) {
    std::uint32_t bucket = buckets.find(later.buckets[entry.key.bucket].key);
    std::uint32_t own =
        bucket == buckets.none ? customers.none : customers.find({entry.key.customer, bucket});
    if (own != customers.none)
      (void)sum_of(customers[own].value, entry.value);
  }
  for (const auto &entry : later.orders) {
    std::uint32_t own = orders.find(entry.key);
    if (own != orders.none)
      (void)sum_of(later.cleared_refunds ? 0 : orders[own].value.refunded, entry.value.refunded);
  }
}

void RevenueChanges::merge(RevenueChanges &&later) {
  // All that can throw comes first.
  rebuilds.reserve(rebuilds.size() + later.rebuilds.size());
  deleted_tenants.reserve(deleted_tenants.size() + later.deleted_tenants.size());
  if (!later.cleared_all) {
    zones.reserve(zones.size() + later.zones.size());
    buckets.reserve(buckets.size() + later.buckets.size());
    customers.reserve(customers.size() + later.customers.size());
    orders.reserve(orders.size() + later.orders.size());
    require_mergeable(later);
  }

  for (const RebuildRange &range : later.rebuilds)
    append_missing(rebuilds, range);
  for (const Uuid &tenant : later.deleted_tenants)
    append_missing(deleted_tenants, tenant);
  cleared_refunds = cleared_refunds || later.cleared_refunds;
  appended = appended || later.appended;
  if (later.cleared_all) {
    cleared_all = true;
    buckets = std::move(later.buckets);
    customers = std::move(later.customers);
    orders = std::move(later.orders);
    zones = std::move(later.zones);
    return;
  }

  for (const auto &entry : later.zones)
    merge_zone(zones[zones.find_or_insert(entry.key)].value, entry.value);
  if (later.cleared_refunds)
    clear_refunds();
  for (const auto &entry : later.buckets) {
    BucketDelta &own = buckets[buckets.find_or_insert(entry.key)].value;
    own = sum_of(own, entry.value);
  }
  for (const auto &entry : later.customers) {
    std::uint32_t bucket = buckets.find(later.buckets[entry.key.bucket].key);
    customers[customers.find_or_insert({entry.key.customer, bucket})].value += entry.value;
  }
  for (const auto &entry : later.orders) {
    OrderChange &own = orders[orders.find_or_insert(entry.key)].value;
    own.tenant = entry.value.tenant;
    own.refunded += entry.value.refunded;
    remember_origin(own, entry.value);
  }
}

void RevenueChanges::add_refunded(const RevenueBucket &bucket, std::int64_t amount) {
  if (amount == 0)
    return;
  BucketDelta &delta = buckets[buckets.find_or_insert(bucket)].value;
  delta.refunded = sum_of(delta.refunded, amount);
}

// Until this transaction, the rollup counts refunds - order.refunded for the order: `refunds` is
// what all committed transactions and this one made of it. It counts them in the order's last
// committed bucket, which is where this transaction found it when it moved it (the order's row is
// locked since then), else where it is now. From now on `refunds` are counted where the order is
// now.
void RevenueChanges::settle_order(const OrderChange &order,
                                  const std::optional<RevenueBucket> &present,
                                  std::int64_t refunds) {
  std::int64_t before = 0;
  if (__builtin_sub_overflow(refunds, order.refunded, &before))
    throw Error(ErrorKind::out_of_range, "refunds of one order are out of range");
  if (order.origin == Origin::bucket)
    add_refunded(order.origin_bucket, -before);
  else if (order.origin == Origin::present && present)
    add_refunded(*present, -before);
  if (present)
    add_refunded(*present, refunds);
}

void PendingRevenue::merge_top() {
  std::size_t top = levels_.size() - 1;
  levels_[top - 1].changes.merge(std::move(levels_[top].changes));
  levels_.pop_back();
}

RevenueChanges &PendingRevenue::at_level(int level) {
  while (levels_.size() >= 2 && levels_[levels_.size() - 2].level == levels_.back().level)
    merge_top();
  if (levels_.empty() || levels_.back().level < level)
    levels_.push_back({level, RevenueChanges(memory_)});
  return levels_.back().changes;
}

bool PendingRevenue::knows_order(const Uuid &order) const noexcept {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level &level) {
    return level.changes.orders.find(order) != level.changes.orders.none;
  });
}

void PendingRevenue::commit_level(int level) noexcept {
  for (auto entry = levels_.rbegin(); entry != levels_.rend() && entry->level >= level; ++entry)
    entry->level = level - 1;
}

void PendingRevenue::abort_level(int level) noexcept {
  while (!levels_.empty() && levels_.back().level >= level)
    levels_.pop_back();
}

RevenueChanges PendingRevenue::take() {
  while (levels_.size() >= 2)
    merge_top();
  if (levels_.empty())
    return RevenueChanges(memory_);
  RevenueChanges changes = std::move(levels_.back().changes);
  levels_.pop_back();
  return changes;
}

} // namespace brainsait::core
