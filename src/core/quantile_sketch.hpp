#pragma once

#include "core/quantile_mapping.hpp"

#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

namespace brainsait::core {

/// Counts by key: a short sorted list while there are few keys, pages of counters beyond. Counts
/// are never negative.
class KeyCounts {
public:
  explicit KeyCounts(std::pmr::memory_resource *memory) : list_(memory), pages_(memory) {}

  void add(std::int32_t key, std::int64_t count) {
    std::size_t page = page_of(key);
    if (page < pages_.size() && pages_[page] != nullptr)
      pages_[page][key & page_mask] += count;
    else
      add_slowly(key, count);
  }
  /// Adds one to a count that has its page already, else returns false.
  bool increment(std::int32_t key) noexcept {
    std::size_t page = page_of(key);
    if (page >= pages_.size() || pages_[page] == nullptr)
      return false;
    ++pages_[page][key & page_mask];
    return true;
  }
  std::int64_t at(std::int32_t key) const noexcept;

  /// Calls visit(key, count) for every count that is not zero, in ascending order of keys.
  template <typename Visit> void for_each(Visit &&visit) const {
    for (const Item &item : list_)
      if (item.count != 0)
        visit(item.key, item.count);
    for (std::size_t page = 0; page < pages_.size(); ++page)
      for (std::int32_t i = 0; pages_[page] != nullptr && i < page_size; ++i)
        if (pages_[page][i] != 0)
          visit((first_page_ + static_cast<std::int32_t>(page)) * page_size + i, pages_[page][i]);
  }

private:
  static constexpr std::int32_t page_size = 128, page_mask = page_size - 1, page_shift = 7;
  static constexpr std::size_t max_listed = 32;
  struct Item {
    std::int32_t key;
    std::int64_t count;
  };

  std::size_t page_of(std::int32_t key) const noexcept {
    return static_cast<std::size_t>(static_cast<std::int64_t>(key >> page_shift) - first_page_);
  }
  void add_slowly(std::int32_t key, std::int64_t count);
  std::int64_t *page_for(std::int32_t key);

  std::pmr::vector<Item> list_; ///< empty as soon as there are pages
  std::pmr::vector<std::int64_t *> pages_;
  std::int32_t first_page_ = 0;
};

/// A sketch of a distribution that answers quantiles with a bounded relative error (DDSketch; see
/// QuantileMapping). It counts exactly, bucket by bucket, so it is the same for any order of
/// values and of merges, and what was added can be subtracted again. Bounded memory: all doubles
/// fall into less than 4,200/relative error buckets, so it takes at most 1.2 MB at an error of 1 %
/// and 12 MB at the least error, 0.1 %.
class QuantileSketch {
public:
  explicit QuantileSketch(std::pmr::memory_resource *memory) : counts_(memory) {}

  /// Fixes the relative error. Throws invalid_parameter where it is out of bounds or another than
  /// before.
  void set_relative_error(double relative_error) {
    if (relative_error != mapping_.relative_error())
      change_relative_error(relative_error);
  }
  /// Adds a value, once the error is set. Throws limit_exceeded beyond 2^63 - 1 values.
  void add(double value) {
    if (total_ == INT64_MAX)
      refuse_total();
    ++total_;
    counts_.add(mapping_.key(value), 1);
  }
  /// set_relative_error() and add() for what takes no memory and cannot fail; returns false where
  /// that is for them to do.
  bool add_in_place(double value, double relative_error) noexcept {
    if (relative_error != mapping_.relative_error() || total_ == INT64_MAX ||
        !counts_.increment(mapping_.key(value)))
      return false;
    ++total_;
    return true;
  }

  /// Adds or takes away what another sketch counts. Throw invalid_parameter for sketches of another
  /// relative error and where the other one is no part of this one, and limit_exceeded as add().
  void merge(const QuantileSketch &other);
  void subtract(const QuantileSketch &other);

  /// The value at a fraction from 0 to 1 of the values in ascending order: within the relative
  /// error of the one that percentile_disc(fraction) gives. None where the sketch is empty; throws
  /// invalid_parameter for another fraction.
  std::optional<double> percentile(double fraction) const;

  std::int64_t count() const noexcept { return total_; }
  const QuantileMapping &mapping() const noexcept { return mapping_; }
  const KeyCounts &buckets() const noexcept { return counts_; }

  /// Stored form: version 1 (u8), relative error (f64), number of buckets (u32), then each
  /// bucket's key less the key before (the first: less the least key), and its count, as varints.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const;
  void flatten(std::uint8_t *bytes) const;

private:
  void change_relative_error(double relative_error);
  [[noreturn]] static void refuse_total();

  QuantileMapping mapping_;
  std::int64_t total_ = 0;
  KeyCounts counts_;
};

} // namespace brainsait::core
