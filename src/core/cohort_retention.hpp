#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brainsait::core {

/// In which of the periods after its anchor a group was active. Where periods begin, calendar and
/// time zone included, is the caller's knowledge.
class CohortRetention {
public:
  static constexpr unsigned max_periods = 1000;

  /// What is the same for all rows of a group.
  struct Shape {
    std::int64_t anchor = 0; ///< microseconds
    std::int32_t months = 0; ///< of a period, and so on; none negative, not all zero
    std::int32_t days = 0;
    std::int64_t microseconds = 0;
    unsigned periods = 0;     ///< 1 to 1000
    bool on_or_after = false; ///< a period counts when it or a later time saw activity
    std::string_view zone;    ///< the time zone's name, at most 255 characters

    friend bool operator==(const Shape &, const Shape &) = default;
  };

  explicit CohortRetention(std::pmr::memory_resource *memory)
      : zone_(memory), boundaries_(memory), active_(memory) {}

  /// Fixes the shape. Throws invalid_parameter for one that makes no sense, or differs from that of
  /// the rows before.
  void take_shape(const Shape &shape);
  bool needs_boundaries() const noexcept { return boundaries_.empty(); }
  /// The beginnings of the periods and the end of the last one, which do not decrease.
  void set_boundaries(std::span<const std::int64_t> boundaries);

  /// Activity at `time`; before the anchor it is none.
  void add(std::int64_t time);
  void merge(const CohortRetention &other);

  unsigned periods() const noexcept { return shape_.periods; }
  bool is_active(unsigned period) const noexcept;

  /// Stored form: version 1, mode (u8), anchor (i64), months, days (u32), microseconds (i64),
  /// periods (u16), length of the zone's name (u8), the name, a bit per period.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return 29 + zone_.size() + (shape_.periods + 7) / 8; }
  void flatten(std::uint8_t *bytes) const noexcept;

private:
  Shape shape() const noexcept;

  Shape shape_; ///< but for the zone
  std::pmr::string zone_;
  std::pmr::vector<std::int64_t> boundaries_;
  std::pmr::vector<std::uint8_t> active_;
};

} // namespace brainsait::core
