#pragma once

#include "core/step_matching.hpp"

#include <memory_resource>
#include <vector>

namespace brainsait::core {

/// Rows of one group of a funnel, to gather and then read in order. A row takes one word, its time
/// counted from the first row's above the bits of its steps, so that words sort as rows do; the
/// first words stand in the object itself, next to what each row looks at. Rows that do not fit (32
/// steps leave an hour on either side, 5 steps 9,000 years) have all rows kept unpacked.
class FunnelEvents {
public:
  explicit FunnelEvents(std::pmr::memory_resource *memory) : wide_(memory) {}
  ~FunnelEvents() { release(); }
  FunnelEvents(const FunnelEvents &) = delete;
  FunnelEvents &operator=(const FunnelEvents &) = delete;
  FunnelEvents(FunnelEvents &&) = delete; // rows may be in the object itself
  FunnelEvents &operator=(FunnelEvents &&) = delete;

  /// How many steps there are, 1 to 32; said before the first row comes.
  void set_steps(unsigned steps) noexcept { steps_ = static_cast<std::uint8_t>(steps); }

  /// append() for what takes no memory; returns false where that is for append() to do.
  bool append_in_place(const FunnelEvent &event) noexcept {
    std::int64_t offset = 0;
    if (count_ == capacity_ || count_ == 0 || !offset_of(event.time, offset))
      return false;
    append_word(word_of(offset, event.steps));
    return true;
  }
  void append(const FunnelEvent &event);
  void append(const FunnelEvents &other);
  void reserve(std::size_t rows);

  std::pmr::memory_resource *memory() const { return wide_.get_allocator().resource(); }
  std::size_t size() const noexcept { return is_wide() ? wide_.size() : count_; }
  bool empty() const noexcept { return size() == 0; }

  /// A row; by time and steps after sort().
  FunnelEvent operator[](std::size_t i) const noexcept {
    if (is_wide())
      return wide_[i];
    const std::uint64_t word = words_[i];
    const std::uint64_t offset = (word >> steps_) - half_range();
    return {static_cast<std::int64_t>(static_cast<std::uint64_t>(base_) + offset),
            static_cast<std::uint32_t>(word & ((std::uint64_t{1} << steps_) - 1))};
  }
  void sort() const;
  /// Whether the rows stand in order as they are.
  bool sorted() const noexcept { return sorted_; }

private:
  static constexpr std::uint32_t inline_words = 14;

  bool is_wide() const noexcept { return !wide_.empty(); }
  std::uint64_t half_range() const noexcept { return std::uint64_t{1} << (63 - steps_); }
  /// A row's time as the difference from the first one's; false where a word has no room for it.
  bool offset_of(std::int64_t time, std::int64_t &offset) const noexcept {
    const auto half = static_cast<std::int64_t>(half_range());
    return !__builtin_sub_overflow(time, base_, &offset) && offset >= -half && offset < half;
  }
  std::uint64_t word_of(std::int64_t offset, std::uint32_t steps) const noexcept {
    return (static_cast<std::uint64_t>(offset) + half_range()) << steps_ | steps;
  }
  void append_word(std::uint64_t word) noexcept {
    sorted_ = sorted_ && (count_ == 0 || words_[count_ - 1] <= word);
    words_[count_++] = word;
  }
  void become_wide();
  void release() noexcept;

  std::uint64_t *words_ = inline_;
  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = inline_words;
  std::int64_t base_ = 0; ///< the first row's time
  std::uint8_t steps_ = 1;
  // Which order rows stand in is nobody's business, so that reading may sort.
  mutable bool sorted_ = true;
  std::uint64_t inline_[inline_words];
  mutable std::pmr::vector<FunnelEvent> wide_; ///< all rows, where there is one
};

} // namespace brainsait::core
