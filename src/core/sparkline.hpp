#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

namespace brainsait::core {

/// A row of numbers drawn with one block character each (U+2581 to U+2588), the least value lowest
/// and the greatest highest.
class Sparkline {
public:
  static constexpr std::size_t max_values = 65536;

  explicit Sparkline(std::pmr::memory_resource *memory) : values_(memory) {}

  /// Throws limit_exceeded for too many values.
  void add(double value);
  /// Appends the other's values.
  void merge(const Sparkline &other);

  std::size_t size() const noexcept { return values_.size(); }
  /// UTF-8. Equal values stand at half height, infinite ones at the ends; one that is no number
  /// leaves a blank.
  std::pmr::string draw(std::pmr::memory_resource *memory) const;

  /// Stored form: version 1, number of values (u32), the values (f64 each), of not-a-number the
  /// positive quiet one.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept { return 5 + 8 * values_.size(); }
  void flatten(std::uint8_t *bytes) const noexcept;

private:
  std::pmr::vector<double> values_;
};

} // namespace brainsait::core
