#pragma once

#include "core/decimal128.hpp"

#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

namespace brainsait::core {

/// The keys of greatest total weight. While the distinct keys are at most max_keys(), every total
/// is exact. Beyond, it is a weighted Space-Saving sketch (Metwally, Agrawal and El Abbadi,
/// "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005): when the table is
/// full, the half of it that may weigh least is dropped at once (as Anderson et al., "A
/// High-Performance Algorithm for Identifying Frequent Items in Data Streams", 2017, do with
/// Misra-Gries), and merges add up what either side may have dropped (Agarwal et al., "Mergeable
/// Summaries", 2013).
///
/// A key that the table does not hold has a total from -missing_below to +missing_above. Such a
/// key enters with the bounds of that, moved by its weight, so the true total is always within a
/// key's bounds, for weights of either sign: by its weight since then a key has at most
/// (sum of absolute weights) / (max_keys() / 2) more or less. What may weigh least is what has the
/// least absolute bound, so that a refund is not forgotten before a sale of its size.
class TopK {
public:
  static constexpr std::int32_t max_k = 10'000;
  static constexpr std::size_t max_key_size = 8'192;
  static constexpr std::size_t max_key_bytes = std::size_t{64} << 20; ///< of all keys

  /// What is known of a key: it was given `weight` since the table holds it, and before that at
  /// least -below, at most above.
  struct Entry {
    const char *text = nullptr;
    std::uint32_t size = 0;
    std::uint32_t hash = 0;
    Decimal128 weight, below, above;

    std::string_view key() const noexcept { return {text, size}; }
    Decimal128 lower() const { return weight - below; }
    Decimal128 upper() const { return weight + above; }
    bool exact() const noexcept { return below.is_zero() && above.is_zero(); }
  };

  explicit TopK(std::pmr::memory_resource *memory) : entries_(memory), slots_(memory) {}

  /// Fixes k. Throws invalid_parameter unless it is 1 to max_k and the same as before.
  void set_k(std::int32_t k) {
    if (k != k_ || k == 0)
      change_k(k);
  }
  /// Adds `weight` * 10^-scale to a key. Throws limit_exceeded for a key over 8,192 bytes or 64 MB
  /// of keys, out_of_range where a total leaves 128 bits at the greatest scale seen.
  void add(std::string_view key, Decimal128 weight, int scale);
  /// Throws invalid_parameter where the other's k differs, and as add() does.
  void merge(const TopK &other);

  /// The k entries of greatest weight, ties by key.
  std::pmr::vector<Entry> top(std::pmr::memory_resource *memory) const;

  std::int32_t k() const noexcept { return k_; }
  /// The digits after the point of every weight.
  int scale() const noexcept { return scale_; }
  std::size_t max_keys() const noexcept;
  std::span<const Entry> entries() const noexcept { return entries_; }

  /// Stored form: version 1 (u8), k (u32), scale (u8), what missing keys may have below and above
  /// zero (128 bits each), the number of keys (u32), then by key in the order of its bytes: size
  /// (varint), bytes, weight (128 bits), and a byte that tells whether below and above follow.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const noexcept;
  void flatten(std::uint8_t *bytes) const;

private:
  void change_k(std::int32_t k);
  void raise_scale(int scale);
  std::size_t slot_of(std::string_view key, std::uint32_t hash) const noexcept;
  Entry &insert(std::string_view key, std::uint32_t hash, std::size_t slot);
  Entry &entry_of(std::string_view key, std::uint32_t hash);
  void index(std::size_t slots);
  void drop_half();

  std::int32_t k_ = 0;
  int scale_ = 0;
  Decimal128 missing_below_, missing_above_;
  std::size_t key_bytes_ = 0;
  std::pmr::vector<Entry> entries_;
  std::pmr::vector<std::uint32_t> slots_; ///< 1 + index of entries_, 0 empty; open addressing
};

} // namespace brainsait::core
