#pragma once

#include "core/funnel_match.hpp"

namespace brainsait::core {

/// The chains of an ordered funnel while its rows go by, one point in time after the other. For
/// each level the latest start of a chain that stands there. Internal to match_funnel().
class FunnelChains {
public:
  FunnelChains(unsigned steps, std::uint64_t window, unsigned modes);
  FunnelMatch run(std::span<const FunnelEvent> events);

private:
  using Times = std::array<std::int64_t, max_funnel_steps>;

  /// A chain: when it started, and when it reached each step. Of two at one level the one that
  /// started later wins.
  struct Chain {
    bool exists = false;
    std::int64_t start = 0;
    Times times{};
  };
  /// By level: 1 to steps.
  using Chains = std::array<Chain, max_funnel_steps + 1>;
  using Group = std::span<const FunnelEvent>;

  bool alive(const Chain &chain) const {
    return chain.exists &&
           static_cast<std::uint64_t>(time_) - static_cast<std::uint64_t>(chain.start) <= window_;
  }
  bool has(unsigned step) const { return (union_ >> (step - 1) & 1) != 0; }
  Chains &open() { return chains_[current_]; }
  const Chains &open() const { return chains_[current_]; }
  Chains &next() { return chains_[1 - current_]; }
  void record(const Chain &chain, unsigned level);
  void keep(Chains &chains, unsigned level, const Chain &chain);
  Chain extended(unsigned from, unsigned to) const;
  void count_steps(Group group);
  void find_ranges(Group group);

  void advance_freely(Group group);
  void walk(Group group);
  void walk_events(Chains &blocked);
  void walk_with_matching(Group group);
  void walk_with_own_rows(Group group);
  void walk_chain(Chain chain, unsigned level, const FunnelEvent *start_row);

  unsigned steps_;
  std::uint64_t window_;
  unsigned modes_;
  std::int64_t time_ = 0;     ///< of the group
  std::uint32_t union_ = 0;   ///< the steps that some row of the group matches
  bool has_stranger_ = false; ///< whether a row of the group matches none
  std::array<std::size_t, max_funnel_steps + 1> count_{}; ///< rows of the group, by step
  /// The first of these rows: more than a chain can have used before.
  const FunnelEvent *rows_[max_funnel_steps + 1][max_funnel_steps + 1];
  /// For step i that the group has: the least level from which the group's rows lead on to i.
  std::array<unsigned, max_funnel_steps + 1> from_{};
  /// What stands before the group, in free modes at a level of at least i, in walked modes at
  /// exactly i; and what stands after it where that is made anew. They change places.
  std::array<Chains, 2> chains_{};
  unsigned current_ = 0;
  FunnelMatch match_;
  std::int64_t match_start_ = 0;
  std::int64_t match_end_ = 0;
};

} // namespace brainsait::core
