#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <span>

namespace brainsait::core {

constexpr unsigned max_funnel_steps = 32;

/// A row of a funnel's input: its time in microseconds, and bit i for step i + 1 where it matches.
struct FunnelEvent {
  std::int64_t time;
  std::uint32_t steps;

  friend bool operator==(const FunnelEvent &, const FunnelEvent &) = default;
  friend bool operator<(const FunnelEvent &a, const FunnelEvent &b) {
    return a.time != b.time ? a.time < b.time : a.steps < b.steps;
  }
  friend bool operator<=(const FunnelEvent &a, const FunnelEvent &b) { return !(b < a); }
};

/// Gives steps (counted from 0) different rows: bipartite matching by augmenting paths (Kuhn's
/// algorithm). Each step remembers its first 32 rows only: by Hall's theorem whoever has as many
/// rows to choose from as there are steps never lacks one.
class StepMatching {
public:
  static constexpr unsigned none = UINT32_MAX;

  /// Forgets everything and takes the rows that are to be given out.
  explicit StepMatching(std::span<const FunnelEvent> rows) {
    for (const FunnelEvent &row : rows)
      add_row(row.steps, row.time);
  }
  StepMatching() = default;

  void add_row(std::uint32_t steps, std::int64_t time) {
    bool kept = false;
    for (std::uint32_t rest = steps; rest != 0; rest &= rest - 1) {
      auto step = static_cast<unsigned>(__builtin_ctz(rest));
      if (candidate_count_[step] == max_funnel_steps)
        continue;
      candidates_[step][candidate_count_[step]++] = static_cast<std::uint16_t>(row_count_);
      kept = true;
    }
    if (kept) {
      times_[row_count_] = time;
      owner_[row_count_++] = none;
    }
  }

  /// Gives `step` a row, moving rows among the steps that have one. False, and nothing moved, where
  /// that is impossible.
  bool give(unsigned step) {
    visited_.reset();
    return augment(step);
  }
  /// Leaves `step`, which has no row yet, those of its rows that have this time.
  void restrict(unsigned step, std::int64_t time) {
    auto end = std::remove_if(candidates_[step], candidates_[step] + candidate_count_[step],
                              [&](unsigned row) { return times_[row] != time; });
    candidate_count_[step] = static_cast<unsigned>(end - candidates_[step]);
  }
  void take_back(unsigned step) {
    owner_[row_of_[step]] = none;
    row_of_[step] = none;
  }

  std::span<const std::uint16_t> candidates(unsigned step) const {
    return {candidates_[step], candidate_count_[step]};
  }
  std::int64_t time_of_row(unsigned row) const { return times_[row]; }

private:
  static constexpr std::size_t max_rows = std::size_t{max_funnel_steps} * max_funnel_steps;

  bool augment(unsigned step) { // recursion: at most one level per step
    for (unsigned row : candidates(step)) {
      if (visited_[row])
        continue;
      visited_.set(row);
      if (owner_[row] == none || augment(owner_[row])) {
        owner_[row] = step;
        row_of_[step] = row;
        return true;
      }
    }
    return false;
  }

  // Only what was written is read.
  std::uint16_t candidates_[max_funnel_steps][max_funnel_steps];
  std::array<unsigned, max_funnel_steps> candidate_count_{};
  std::array<unsigned, max_funnel_steps> row_of_{};
  unsigned owner_[max_rows];
  std::int64_t times_[max_rows];
  std::bitset<max_rows> visited_;
  unsigned row_count_ = 0;
};

} // namespace brainsait::core
