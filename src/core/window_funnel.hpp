#pragma once

#include "core/funnel_match.hpp"

#include <memory_resource>
#include <vector>

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
  /// 256 MB in memory, and 192 MB stored.
  static constexpr std::size_t max_events = std::size_t{1} << 24;

  explicit WindowFunnel(std::pmr::memory_resource *memory) : events_(memory) {}

  /// Throws invalid_parameter for a shape that makes no sense or differs from that of the rows
  /// before, limit_exceeded for too many rows.
  void add(const FunnelShape &shape, std::int64_t time, std::uint32_t steps) {
    if (shape != shape_)
      take_shape(shape);
    if (steps == 0 && (shape.modes & strict_order) == 0)
      return;
    if (events_.size() == max_events)
      refuse_event();
    const FunnelEvent event{time, steps};
    sorted_ = sorted_ && (events_.empty() || events_.back() <= event);
    events_.push_back(event);
  }
  void merge(const WindowFunnel &other);

  FunnelMatch match() const;

  /// Stored form: version 1, modes (u8), steps (u8), window (i64), number of rows (u32), and each
  /// row's time (i64) and steps (u32) in the order of time and steps.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return header_size + event_size * events_.size(); }
  void flatten(std::uint8_t *bytes) const;

private:
  static constexpr std::size_t header_size = 15;
  static constexpr std::size_t event_size = 12;

  void take_shape(const FunnelShape &shape);
  [[noreturn]] static void refuse_event();
  void sort() const;

  FunnelShape shape_;
  // Which order they stand in is nobody's business, so that reading may sort.
  mutable std::pmr::vector<FunnelEvent> events_;
  mutable bool sorted_ = true;
};

} // namespace brainsait::core
