#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace brainsait::core {

/// Which of up to 64 conditions held in any row of a group. Retention in the sense of the analytics
/// databases: a user counts under condition i when he met it and the first one as well.
class Retention {
public:
  static constexpr unsigned max_conditions = 64;

  explicit Retention(std::pmr::memory_resource *) noexcept {}

  /// A row with `count` conditions, bit i of `mask` for condition i. Throws invalid_parameter for
  /// none, for too many, and for another number than in the rows before.
  void add(unsigned count, std::uint64_t mask);
  void merge(const Retention &other);

  unsigned size() const noexcept { return count_; }
  bool holds(unsigned condition) const noexcept {
    return (mask_ & 1) != 0 && (mask_ >> condition & 1) != 0;
  }

  /// Stored form: version 1, count (u8), mask (u64).
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return 10; }
  void flatten(std::uint8_t *bytes) const noexcept;

private:
  unsigned count_ = 0;
  std::uint64_t mask_ = 0;
};

/// Sums of equally long rows, element by element.
class ElementwiseCounts {
public:
  static constexpr std::size_t max_length = 65536;

  explicit ElementwiseCounts(std::pmr::memory_resource *memory) : counts_(memory) {}

  /// Fixes the length of all rows. Throws invalid_parameter for an empty or too long one, and for
  /// another length than that of the rows before.
  void set_length(std::size_t length);
  /// Adds `amount` to an element within the length. Throws out_of_range beyond 64 bits.
  void add(std::size_t element, std::int64_t amount = 1);
  void merge(const ElementwiseCounts &other);

  std::span<const std::int64_t> counts() const noexcept { return counts_; }

  /// Stored form: version 1, length (u32), the counts (i64 each, not negative).
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return 5 + 8 * counts_.size(); }
  void flatten(std::uint8_t *bytes) const noexcept;

private:
  std::pmr::vector<std::int64_t> counts_;
};

} // namespace brainsait::core
