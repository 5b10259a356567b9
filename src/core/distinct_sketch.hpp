#pragma once

#include "core/ultraloglog.hpp"

#include <memory_resource>
#include <vector>

namespace brainsait::core {

/// How the values of a sketch were hashed. Sketches of different families have no values in common
/// to count, so they do not merge. The numbers are stored.
enum class HashFamily : std::uint8_t {
  none,     ///< no value yet
  integers, ///< mix64() of the 64-bit integer
  floats,   ///< mix64() of the IEEE double, one zero and one NaN
  bytes,    ///< hash_bytes()
  uuids,    ///< mix64() of one half, mixed with the other
  other,    ///< a hash function of the type's own
};

/// How many distinct values there are: exact up to 256 of them, an UltraLogLog of 2 KB beyond.
/// The stored form depends on the set of hashes alone, whatever the order and however often they
/// and partial sketches came.
class DistinctSketch {
public:
  static constexpr std::size_t max_exact = 256;

  explicit DistinctSketch(std::pmr::memory_resource *memory) : slots_(memory), registers_(memory) {}

  /// Adds a value's hash. Throws invalid_parameter where the sketch is of another family.
  void add(HashFamily family, std::uint64_t hash) {
    if (family != family_)
      become(family);
    if (!registers_.empty())
      ultraloglog_add(registers_, hash);
    else
      add_exactly(hash);
  }

  /// add() for what takes no memory and cannot fail; returns false where that is for add() to do.
  bool add_in_place(HashFamily family, std::uint64_t hash) noexcept {
    if (family != family_)
      return false;
    if (registers_.empty())
      return holds(hash);
    ultraloglog_add(registers_, hash);
    return true;
  }

  /// Adds what another sketch has seen. Throws invalid_parameter where it is of another family.
  void merge(const DistinctSketch &other);

  /// The number of distinct values, rounded; at most 2^63 - 1.
  std::int64_t count() const;
  bool exact() const noexcept { return registers_.empty(); }
  HashFamily family() const noexcept { return family_; }

  /// Stored form: version 1 (u8), family (u8), then 0 (u8), the number of hashes (u16) and the
  /// hashes in ascending order (u64 each); or 1 (u8) and the registers.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept;
  void flatten(std::uint8_t *bytes) const;

private:
  void become(HashFamily family);
  void add_exactly(std::uint64_t hash);
  bool holds(std::uint64_t hash) const noexcept;
  void insert(std::uint64_t hash) noexcept;
  void resize(std::size_t slots);
  void use_registers();
  std::size_t exact_count() const noexcept { return used_ + (has_zero_ ? 1 : 0); }

  HashFamily family_ = HashFamily::none;
  bool has_zero_ = false; ///< a hash of zero, which marks empty slots
  std::uint16_t used_ = 0;
  std::pmr::vector<std::uint64_t> slots_; ///< open addressing, a power of two, at most half full
  std::pmr::vector<std::uint8_t> registers_;
};

/// What a family is called in messages.
const char *family_name(HashFamily family) noexcept;

} // namespace brainsait::core
