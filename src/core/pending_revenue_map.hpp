#pragma once

#include "core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <vector>

namespace brainsait::core {

/// A 64-bit hash of a fixed-size key without padding: words folded by 64 x 64 -> 128 bit products,
/// the mixing step of the wyhash family. The same in every process, so it may name a lock.
template <typename Key> std::uint64_t hash_of(const Key &key) noexcept {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15u;
  std::uint64_t words[(sizeof(Key) + 7) / 8] = {};
  std::memcpy(words, &key, sizeof(Key));
  std::uint64_t hash = sizeof(Key) * odd;
  for (std::uint64_t word : words) {
    auto product =
        static_cast<unsigned __int128>(hash ^ word ^ 0xD6E8FEB86659FD93u) * ((word << 1 | 1) ^ odd);
    hash += static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    hash ^= hash >> 32;
    hash *= odd;
  }
  return hash ^ hash >> 29;
}

/// A hash map whose entries lie densely in the order of their first insertion, so that an entry's
/// index stays valid, iteration is a walk over an array, and one entry costs its own size and eight
/// to sixteen bytes of index. Nothing is ever erased; clear() forgets everything.
template <typename Key, typename Value> class DenseMap {
public:
  using Index = std::uint32_t;
  static constexpr Index none = UINT32_MAX;

  struct Entry {
    Key key;
    Value value;
  };

  explicit DenseMap(std::pmr::memory_resource *memory) : entries_(memory), slots_(memory) {}

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  Entry &operator[](Index index) noexcept { return entries_[index]; }
  const Entry &operator[](Index index) const noexcept { return entries_[index]; }
  auto begin() noexcept { return entries_.begin(); }
  auto end() noexcept { return entries_.end(); }
  auto begin() const noexcept { return entries_.begin(); }
  auto end() const noexcept { return entries_.end(); }

  void clear() noexcept {
    entries_.clear();
    slots_.clear();
  }

  /// Makes room for `count` entries; until then insertion allocates nothing and so cannot throw.
  /// Throws with everything left as it was.
  void reserve(std::size_t count) {
    if (count >= none)
      throw Error(ErrorKind::limit_exceeded, "too many different keys in one transaction");
    if (count > entries_.capacity()) // doubling: reserving one more at a time must stay linear
      entries_.reserve(count > 2 * entries_.capacity() ? count : 2 * entries_.capacity());
    if (4 * count > 3 * slots_.size())
      rehash(count);
  }

  Index find(const Key &key) const noexcept { return slots_.empty() ? none : slots_[slot_of(key)]; }

  /// The entry of `key`, made with a value-initialised value where it is missing.
  Index find_or_insert(const Key &key) {
    if (4 * (entries_.size() + 1) > 3 * slots_.size()) {
      Index found = find(key);
      if (found != none)
        return found;
      if (entries_.size() + 1 >= none)
        throw Error(ErrorKind::limit_exceeded, "too many different keys in one transaction");
      rehash(entries_.size() + 1);
    }
    std::size_t slot = slot_of(key);
    if (slots_[slot] == none) {
      entries_.push_back({key, Value{}});
      slots_[slot] = static_cast<Index>(entries_.size() - 1);
    }
    return slots_[slot];
  }

private:
  /// The slot that holds `key`, or the empty one where it belongs.
  std::size_t slot_of(const Key &key) const noexcept {
    std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash_of(key) & mask;
    while (slots_[slot] != none && !(entries_[slots_[slot]].key == key))
      slot = (slot + 1) & mask;
    return slot;
  }

  void rehash(std::size_t count) {
    std::size_t size = slots_.empty() ? 8 : slots_.size();
    while (4 * count > 3 * size)
      size *= 2;
    std::pmr::vector<Index> slots(size, none, slots_.get_allocator());
    slots.swap(slots_);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      slots_[slot_of(entries_[i].key)] = static_cast<Index>(i);
  }

  std::pmr::vector<Entry> entries_;
  std::pmr::vector<Index> slots_; ///< open addressing, linear probing, at most three quarters full
};

} // namespace brainsait::core
