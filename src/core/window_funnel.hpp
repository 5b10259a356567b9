#pragma once

#include "core/funnel_events.hpp"
#include "core/funnel_match.hpp"

namespace brainsait::core {

/// What is the same for all rows of a funnel.
struct FunnelShape {
  unsigned modes = 0;      ///< FunnelMode, added up
  unsigned steps = 0;      ///< 1 to 32
  std::int64_t window = 0; ///< microseconds, not negative

  friend bool operator==(const FunnelShape &, const FunnelShape &) = default;
};

/// The rows of one group of a funnel. Rows that match no step are kept where they end chains only.
class WindowFunnel {
public:
  /// At most 256 MB in memory, and 192 MB stored.
  static constexpr std::size_t max_events = std::size_t{1} << 24;

  explicit WindowFunnel(std::pmr::memory_resource *memory) : events_(memory) {}

  /// Throws invalid_parameter for a shape that makes no sense or differs from that of the rows
  /// before, limit_exceeded for too many rows.
  void add(const FunnelShape &shape, std::int64_t time, std::uint32_t steps) {
    if (shape != shape_)
      take_shape(shape);
    if (!counts(steps))
      return;
    if (events_.size() == max_events)
      refuse_event();
    events_.append({time, steps});
  }
  /// add() for what takes no memory and cannot fail; returns false where that is for add() to do.
  bool add_in_place(const FunnelShape &shape, std::int64_t time, std::uint32_t steps) noexcept {
    return shape == shape_ && (!counts(steps) || (events_.size() < max_events &&
                                                  events_.append_in_place({time, steps})));
  }
  void merge(const WindowFunnel &other);

  FunnelMatch match() const;
  /// match().level, found without its times.
  unsigned level() const;

  /// Stored form: version 1, modes (u8), steps (u8), window (i64), number of rows (u32), and each
  /// row's time (i64) and steps (u32) in the order of time and steps.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return header_size + event_size * events_.size(); }
  void flatten(std::uint8_t *bytes) const;

private:
  static constexpr std::size_t header_size = 15;
  static constexpr std::size_t event_size = 12;

  bool counts(std::uint32_t steps) const noexcept {
    return steps != 0 || (shape_.modes & strict_order) != 0;
  }
  void take_shape(const FunnelShape &shape);
  [[noreturn]] static void refuse_event();
  unsigned level_of_free_rows() const;

  FunnelShape shape_;
  FunnelEvents events_;
};

} // namespace brainsait::core
