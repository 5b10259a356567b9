#pragma once

#include "core/pending_revenue.hpp"
#include "pg/store.hpp"

#include <algorithm>

namespace brainsait {

/// An entry of a DenseMap with the hash of its key, by which locks are ordered.
struct KeyedIndex {
  std::uint64_t hash;
  std::uint32_t index;

  friend auto operator<=>(const KeyedIndex &, const KeyedIndex &) = default;
};

/// How often a customer's orders changed in a bucket.
struct CustomerDelta {
  core::Uuid customer;
  std::int32_t orders;
};

/// The buckets that something changed in, sorted by hash, and their customers. In the memory
/// context in which it was made.
struct BucketList {
  KeyedIndex *keys;
  std::size_t count;
  CustomerDelta *customers;    ///< of all buckets, those of one bucket side by side and sorted
  std::size_t *first_customer; ///< by index of the bucket's entry; one more than there are buckets
};

/// `count` uninitialised elements in the current memory context, however many that are.
template <typename Element> Element *palloc_many(std::size_t count) {
  static_assert(std::is_trivially_destructible_v<Element>);
  return static_cast<Element *>(MemoryContextAllocHuge(
      CurrentMemoryContext, sizeof(Element) * std::max(count, std::size_t(1))));
}

/// The arguments that name a bucket in queries, in the current memory context.
struct BucketArguments {
  explicit BucketArguments(const core::RevenueBucket &bucket);
  Datum tenant, date, currency;
};

/// Hundredths as numeric, in the current memory context.
Datum numeric_of(std::int64_t hundredths);

/// A count as integer; raises 22003 where it is none.
Datum count_of(std::int64_t count);

/// Lists the buckets of `changes` apart from those where everything evened out.
BucketList changed_buckets(const core::RevenueChanges &changes);

inline std::span<const CustomerDelta> customers_of(const BucketList &list, std::uint32_t bucket) {
  std::size_t first = list.first_customer[bucket];
  return {list.customers + first, list.first_customer[bucket + 1] - first};
}

/// Adds to one bucket's row and customers. The caller has locked the bucket, or all of
/// revenue_metrics; in an owner session. While deltas of the bucket are pending, what is stored may
/// be any part of the truth, less than nothing included. Rows that come to nothing are deleted.
void write_bucket(const pg::Store &store, const core::RevenueBucket &bucket,
                  const core::BucketDelta &delta, std::span<const CustomerDelta> customers);

} // namespace brainsait
