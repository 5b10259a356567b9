#include "core/funnel_match.hpp"

#include "core/error.hpp"
#include "core/funnel_chains.hpp"

#include <algorithm>
#include <string>

namespace brainsait::core {
namespace {

struct NamedMode {
  std::string_view name;
  unsigned mode;
};

constexpr std::array<NamedMode, 5> named_modes = {{{"strict_increase", strict_increase},
                                                   {"strict_once", strict_once},
                                                   {"strict_order", strict_order},
                                                   {"strict_deduplication", strict_deduplication},
                                                   {"any_order", any_order}}};

constexpr unsigned contradicts_any_order = strict_order | strict_deduplication;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

unsigned parse_mode(std::string_view name) {
  for (const NamedMode &named : named_modes)
    if (named.name == name)
      return named.mode;
  throw Error(ErrorKind::invalid_parameter,
              "unknown funnel mode \"" + std::string(name.substr(0, 64)) + "\"",
              "Modes are strict_increase, strict_once, strict_order, strict_deduplication and "
              "any_order, joined by commas.");
}

/// Steps in any order. Each point in time is looked at as the end of a chain; one that is longer
/// than what was found has it. Of the rows of a step the most recent ones are in a window the
/// longest, and no more of them can be needed than there are steps, so each step keeps these.
class AnyOrder {
public:
  AnyOrder(std::span<const FunnelEvent> events, unsigned steps, std::uint64_t window,
           bool different_times)
      : events_(events), steps_(steps), window_(window), different_times_(different_times) {}

  FunnelMatch run() {
    while (next_ < events_.size() && match_.level < steps_) {
      end_ = events_[next_].time;
      std::uint32_t all = 0;
      for (; next_ < events_.size() && events_[next_].time == end_; ++next_) {
        all |= events_[next_].steps;
        if (!different_times_)
          remember({next_, events_[next_].steps});
      }
      // One point in time serves one step: its rows count as one.
      if (different_times_)
        remember({next_ - 1, all});
      bool grew = false;
      while (match_.level < steps_ && can_reach(match_.level + 1)) {
        ++match_.level;
        grew = true;
      }
      if (grew)
        find_earliest_times();
    }
    return match_;
  }

private:
  struct Row {
    std::size_t event = 0;
    std::uint32_t steps = 0;
  };
  struct Recent {
    std::array<Row, max_funnel_steps> rows{}; ///< a ring
    std::size_t count = 0;                    ///< ever seen
  };

  bool in_window(std::size_t event) const {
    return static_cast<std::uint64_t>(end_) - static_cast<std::uint64_t>(events_[event].time) <=
           window_;
  }

  void remember(const Row &row) {
    for (std::uint32_t rest = row.steps; rest != 0; rest &= rest - 1) {
      Recent &recent = recent_[static_cast<unsigned>(__builtin_ctz(rest))];
      recent.rows[recent.count++ % max_funnel_steps] = row;
    }
  }

  /// Whether that many steps have different rows in the window.
  bool can_reach(unsigned level) const {
    for (unsigned step = 0; step < level; ++step) {
      const Recent &recent = recent_[step];
      if (recent.count == 0 || !in_window(recent.rows[(recent.count - 1) % max_funnel_steps].event))
        return false;
    }
    Row rows[std::size_t{max_funnel_steps} * max_funnel_steps];
    std::size_t count = 0;
    for (unsigned step = 0; step < level; ++step) {
      const Recent &recent = recent_[step];
      for (std::size_t i = std::min<std::size_t>(recent.count, max_funnel_steps); i-- > 0;)
        if (in_window(recent.rows[i].event))
          rows[count++] = recent.rows[i];
    }
    auto later = [](const Row &a, const Row &b) { return a.event > b.event; };
    auto same = [](const Row &a, const Row &b) { return a.event == b.event; };
    std::sort(rows, rows + count, later);
    count = static_cast<std::size_t>(std::unique(rows, rows + count, same) - rows);
    StepMatching matching;
    for (std::size_t i = 0; i < count; ++i)
      matching.add_row(rows[i].steps, events_[rows[i].event].time);
    return give_steps(matching, level);
  }

  static bool give_steps(StepMatching &matching, unsigned level) {
    for (unsigned step = 0; step < level; ++step)
      if (!matching.give(step))
        return false;
    return true;
  }

  /// The smallest times, step by step, of the matchings that there are.
  void find_earliest_times() {
    auto first = static_cast<std::size_t>(
        std::partition_point(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(next_),
                             [&](const FunnelEvent &event) {
                               return !in_window(static_cast<std::size_t>(&event - &events_[0]));
                             }) -
        events_.begin());
    StepMatching rows;
    while (first < next_) {
      const std::int64_t time = events_[first].time;
      std::uint32_t steps = events_[first++].steps;
      for (; different_times_ && first < next_ && events_[first].time == time; ++first)
        steps |= events_[first].steps;
      rows.add_row(steps, time);
    }
    for (unsigned step = 0; step < match_.level; ++step)
      for (unsigned row : rows.candidates(step)) {
        StepMatching trial = rows;
        trial.restrict(step, rows.time_of_row(row));
        if (give_steps(trial, match_.level)) {
          match_.times[step] = rows.time_of_row(row);
          rows.restrict(step, match_.times[step]);
          break;
        }
      }
  }

  std::span<const FunnelEvent> events_;
  unsigned steps_;
  std::uint64_t window_;
  bool different_times_;
  std::size_t next_ = 0; ///< the first event that was not looked at
  std::int64_t end_ = 0; ///< the time looked at
  std::array<Recent, max_funnel_steps> recent_{};
  FunnelMatch match_;
};

} // namespace

unsigned parse_funnel_modes(std::string_view list) {
  unsigned modes = 0;
  if (trimmed(list).empty())
    return modes;
  while (true) {
    auto comma = list.find(',');
    modes |= parse_mode(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  if (!are_funnel_modes(modes))
    throw Error(ErrorKind::invalid_parameter,
                "funnel mode any_order excludes strict_order and strict_deduplication");
  return modes;
}

bool are_funnel_modes(unsigned modes) noexcept {
  return modes < 32 && ((modes & any_order) == 0 || (modes & contradicts_any_order) == 0);
}

FunnelMatch match_funnel(std::span<const FunnelEvent> events, unsigned steps, std::uint64_t window,
                         unsigned modes) {
  if ((modes & any_order) != 0)
    return AnyOrder(events, steps, window, (modes & strict_increase) != 0).run();
  return FunnelChains(steps, window, modes).run(events);
}

} // namespace brainsait::core
