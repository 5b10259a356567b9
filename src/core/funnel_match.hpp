#pragma once

#include "core/step_matching.hpp"

#include <string_view>

namespace brainsait::core {

/// How rows may fill steps. Rows stand in the order of time; among rows of equal time whatever
/// order helps, and within it of step, is taken.
enum FunnelMode : unsigned {
  strict_increase = 1,      ///< the times of the steps strictly increase
  strict_once = 2,          ///< every step has a row of its own
  strict_order = 4,         ///< once step 1 was seen, a row that matches no step, or one whose
                            ///< predecessor was not reached yet, ends the chain
  strict_deduplication = 8, ///< a repeat of a reached step other than step 1 ends the chain
  any_order = 16,           ///< steps in any order, each with a row of its own
};

/// The modes of a list like "strict_once, strict_order"; none for the empty text. Throws
/// invalid_parameter for an unknown one, and for any_order beside strict_order or
/// strict_deduplication, whose meaning is an order.
unsigned parse_funnel_modes(std::string_view list);
bool are_funnel_modes(unsigned modes) noexcept;

/// The most steps that one chain reaches, and when it reached each. Of several such chains: the one
/// that reaches the last step first, of these the one that started last, and in it each step as
/// early as can be (with any_order: step 1 as early as can be, then step 2, ...).
struct FunnelMatch {
  unsigned level = 0;
  std::array<std::int64_t, max_funnel_steps> times{};
};

/// Steps 1 to k match rows whose times do not decrease and lie within `window` microseconds of the
/// first, inclusive; the largest such k up to `steps` is found, exactly, in every mode. `events`
/// are sorted by time, then steps; those without a step count in strict_order only.
///
/// Time is O(n) times a polynomial of the number of steps: for each level only the latest start
/// that reached it is kept, since of two chains at one level the later started one can do all that
/// the other can; and the rows of one point in time are given to steps by bipartite matching where
/// they must be different.
FunnelMatch match_funnel(std::span<const FunnelEvent> events, unsigned steps, std::uint64_t window,
                         unsigned modes);

} // namespace brainsait::core
