#include "core/funnel_chains.hpp"

#include <algorithm>

namespace brainsait::core {

FunnelChains::FunnelChains(unsigned steps, std::uint64_t window, unsigned modes)
    : steps_(steps), window_(window), modes_(modes) {
  // Different times are different rows.
  if ((modes_ & strict_increase) != 0)
    modes_ &= ~unsigned{strict_once};
}

FunnelMatch FunnelChains::run(std::span<const FunnelEvent> events) {
  const bool walked = (modes_ & (strict_order | strict_deduplication)) != 0;
  while (!events.empty() && match_.level < steps_) {
    std::size_t size = 1;
    while (size < events.size() && events[size].time == events[0].time)
      ++size;
    Group group = events.first(size);
    events = events.subspan(size);
    time_ = group[0].time;
    union_ = 0;
    for (const FunnelEvent &event : group)
      union_ |= event.steps;
    has_stranger_ = group[0].steps == 0; // sorted: these come first
    if (walked)
      walk(group);
    else
      advance_freely(group);
  }
  return match_;
}

void FunnelChains::record(const Chain &chain, unsigned level) {
  if (level < match_.level ||
      (level == match_.level && (time_ > match_end_ || chain.start <= match_start_)))
    return;
  match_.level = level;
  match_.times = chain.times;
  match_start_ = chain.start;
  match_end_ = time_;
}

void FunnelChains::keep(Chains &chains, unsigned level, const Chain &chain) {
  if (!chains[level].exists || chains[level].start < chain.start)
    chains[level] = chain;
}

/// The chain at level `from`, or a new one, with the steps up to `to` reached now.
FunnelChains::Chain FunnelChains::extended(unsigned from, unsigned to) const {
  Chain chain;
  if (from > 0)
    chain = open()[from];
  else
    chain.start = time_;
  chain.exists = true;
  std::fill(chain.times.begin() + from, chain.times.begin() + to, time_);
  return chain;
}

void FunnelChains::count_steps(Group group) {
  count_.fill(0);
  for (const FunnelEvent &event : group)
    for (std::uint32_t rest = event.steps; rest != 0; rest &= rest - 1) {
      auto step = static_cast<unsigned>(__builtin_ctz(rest)) + 1;
      if (count_[step] <= max_funnel_steps)
        rows_[step][count_[step]] = &event;
      ++count_[step];
    }
}

void FunnelChains::find_ranges(Group group) {
  if ((modes_ & strict_once) == 0 || group.size() == 1) {
    const bool one_by_one = (modes_ & (strict_increase | strict_once)) != 0;
    for (unsigned step = 1; step <= steps_; ++step)
      from_[step] = !one_by_one && step > 1 && has(step - 1) ? from_[step - 1] : step - 1;
    return;
  }
  // The longest range of steps that can have different rows, by its last step.
  StepMatching matching(group);
  unsigned from = 0;
  for (unsigned step = 1; step <= steps_; ++step) {
    if (!has(step)) {
      for (; from + 1 < step; ++from)
        matching.take_back(from);
      from = step;
      continue;
    }
    while (!matching.give(step - 1))
      matching.take_back(from++);
    from_[step] = from;
  }
}

/// No row ends a chain: any range of steps that the rows of this time can fill extends the chains
/// that stand before it.
void FunnelChains::advance_freely(Group group) {
  if (union_ == 0)
    return;
  find_ranges(group);
  for (unsigned step = steps_; step > 0; --step) {
    if (!has(step))
      continue;
    unsigned from = from_[step];
    if (from > 0 && !alive(open()[from]))
      continue; // chains that came farther started no later
    const std::int64_t start = from > 0 ? open()[from].start : time_;
    if (open()[step].exists && open()[step].start >= start)
      continue;
    // As much of the same chain as was reached before.
    while (from + 1 < step && open()[from + 1].exists && open()[from + 1].start == start)
      ++from;
    open()[step] = extended(from, step);
    record(open()[step], step);
  }
}

void FunnelChains::walk(Group group) {
  const bool ordered = (modes_ & strict_order) != 0;
  if (ordered && has_stranger_)
    for (Chain &chain : open())
      chain.exists = false;
  if (union_ == 0)
    return;
  count_steps(group);
  if ((modes_ & strict_once) == 0) {
    Chains &blocked = next();
    walk_events(blocked);
  } else {
    for (Chain &chain : next())
      chain.exists = false;
    if ((modes_ & strict_deduplication) != 0)
      walk_with_own_rows(group);
    else
      walk_with_matching(group);
    current_ = 1 - current_;
  }
}

/// Rows one by one, in the order of their steps. With strict_increase a chain that came on at this
/// time is blocked until the next.
void FunnelChains::walk_events(Chains &blocked) {
  const bool ordered = (modes_ & strict_order) != 0;
  const bool deduplicated = (modes_ & strict_deduplication) != 0;
  const bool increasing = (modes_ & strict_increase) != 0;
  Chains &reached = increasing ? blocked : open();
  auto end_chains = [&](unsigned first, unsigned last) {
    for (unsigned level = first; level <= last; ++level)
      open()[level].exists = blocked[level].exists = false;
  };
  for (Chain &chain : blocked)
    chain.exists = false;
  for (unsigned step = 1; step <= steps_; ++step) {
    if (count_[step] == 0)
      continue;
    if (ordered && step > 2)
      end_chains(1, step - 2);
    if (deduplicated && step > 1)
      end_chains(step, steps_);
    if (step == 1 || alive(open()[step - 1])) {
      Chain chain = extended(step - 1, step);
      if (step > 1)
        open()[step - 1].exists = false;
      keep(reached, step, chain);
      record(chain, step);
    }
    if (deduplicated && step > 1 && count_[step] > 1)
      end_chains(step, steps_);
  }
  if (increasing)
    for (unsigned level = 1; level <= steps_; ++level)
      if (blocked[level].exists)
        keep(open(), level, blocked[level]);
}

/// strict_order, and each step a row of its own: a chain takes all the steps that different rows of
/// this time can give it, since a higher level is ended by fewer rows.
void FunnelChains::walk_with_matching(Group group) {
  find_ranges(group);
  const unsigned last = 32 - static_cast<unsigned>(__builtin_clz(union_)); // step of the group
  for (unsigned from = 0; from <= steps_; ++from) {
    if (from > 0 ? !alive(open()[from]) : !has(1))
      continue;
    unsigned to = from;
    while (to < steps_ && has(to + 1) && from_[to + 1] <= from)
      ++to;
    Chain chain = extended(from, to);
    if (to > from)
      record(chain, to);
    if (last < to + 2)
      keep(next(), to, chain);
  }
}

/// strict_deduplication, and each step a row of its own: chains are walked one by one, since which
/// row they started with decides what is left for them.
void FunnelChains::walk_with_own_rows(Group group) {
  for (unsigned level = 1; level <= steps_; ++level)
    if (alive(open()[level]))
      walk_chain(open()[level], level, nullptr);
  const FunnelEvent *before = nullptr;
  for (const FunnelEvent &row : group) {
    if ((row.steps & 1) == 0 || (before != nullptr && before->steps == row.steps))
      continue; // rows alike start chains alike
    before = &row;
    Chain chain = extended(0, 1);
    record(chain, 1);
    walk_chain(chain, 1, &row);
  }
}

void FunnelChains::walk_chain(Chain chain, unsigned level, const FunnelEvent *start_row) {
  std::array<const FunnelEvent *, max_funnel_steps> used{};
  std::size_t used_count = 0;
  if (start_row != nullptr)
    used[used_count++] = start_row;
  auto matches = [](const FunnelEvent &row, unsigned step) {
    return (row.steps >> (step - 1) & 1) != 0;
  };
  for (unsigned step = 2; step <= steps_; ++step) {
    if (count_[step] == 0)
      continue;
    if (step <= level)
      return; // a repeat
    if (step > level + 1) {
      if ((modes_ & strict_order) != 0)
        return;
      continue;
    }
    std::size_t left = count_[step];
    for (std::size_t i = 0; i < used_count; ++i)
      left -= matches(*used[i], step) ? 1 : 0;
    if (left == 0)
      continue; // all of these rows have served before
    chain.times[level++] = time_;
    record(chain, level);
    if (left > 1)
      return; // the next one is a repeat
    auto used_end = used.begin() + used_count;
    auto is_new = [&](const FunnelEvent *row) {
      return std::find(used.begin(), used_end, row) == used_end;
    };
    used[used_count++] = *std::find_if(rows_[step], rows_[step] + count_[step], is_new);
  }
  keep(next(), level, chain);
}

} // namespace brainsait::core
