#include "core/funnel_events.hpp"

namespace brainsait::core {

void FunnelEvents::release() noexcept {
  if (words_ != inline_)
    wide_.get_allocator().resource()->deallocate(words_, capacity_ * sizeof *words_,
                                                 alignof(std::uint64_t));
  words_ = inline_;
  capacity_ = inline_words;
  count_ = 0;
}

void FunnelEvents::reserve(std::size_t rows) {
  if (is_wide())
    return wide_.reserve(rows);
  if (rows <= capacity_)
    return;
  auto *words = static_cast<std::uint64_t *>(
      wide_.get_allocator().resource()->allocate(rows * sizeof *words_, alignof(std::uint64_t)));
  std::copy(words_, words_ + count_, words);
  const std::uint32_t count = count_;
  release();
  words_ = words;
  capacity_ = static_cast<std::uint32_t>(rows);
  count_ = count;
}

void FunnelEvents::become_wide() {
  std::pmr::vector<FunnelEvent> rows(wide_.get_allocator());
  rows.reserve(std::size_t{count_} + 1);
  for (std::size_t i = 0; i < count_; ++i)
    rows.push_back((*this)[i]);
  release();
  wide_.swap(rows);
}

void FunnelEvents::append(const FunnelEvent &event) {
  if (!is_wide()) {
    if (count_ == 0)
      base_ = event.time;
    std::int64_t offset = 0;
    if (offset_of(event.time, offset)) {
      if (count_ == capacity_)
        reserve(std::size_t{capacity_} * 2);
      return append_word(word_of(offset, event.steps));
    }
    become_wide();
  }
  sorted_ = sorted_ && (wide_.empty() || wide_.back() <= event);
  wide_.push_back(event);
}

void FunnelEvents::append(const FunnelEvents &other) {
  if (const std::size_t together = size() + other.size(); !is_wide() && together > capacity_)
    reserve(std::max(together, std::size_t{capacity_} * 2));
  for (std::size_t i = 0; i < other.size(); ++i)
    append(other[i]);
}

void FunnelEvents::sort() const {
  if (sorted_)
    return;
  if (is_wide())
    std::sort(wide_.begin(), wide_.end());
  else
    std::sort(words_, words_ + count_);
  sorted_ = true;
}

} // namespace brainsait::core
