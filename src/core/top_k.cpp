#include "core/top_k.hpp"

#include "core/value_hash.hpp"
#include "core/varint.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace brainsait::core {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t header_size = 1 + 4 + 1 + 16 + 16 + 4;

std::uint32_t key_hash(std::string_view key) noexcept {
  return static_cast<std::uint32_t>(
      hash_bytes({reinterpret_cast<const std::uint8_t *>(key.data()), key.size()}));
}

bool heavier(const TopK::Entry &a, const TopK::Entry &b) noexcept {
  return a.weight == b.weight ? a.key() < b.key() : b.weight < a.weight;
}

/// The most that a key's total may be away from zero.
Decimal128 magnitude(const TopK::Entry &entry) {
  return std::max(entry.upper(), Decimal128() - entry.lower());
}

void write_decimal(ByteWriter &writer, Decimal128 value) noexcept {
  writer.u64(value.low());
  writer.i64(value.high());
}

Decimal128 read_decimal(ByteReader &reader) {
  std::uint64_t low = reader.u64();
  return Decimal128::from_words(reader.i64(), low);
}

Decimal128 read_distance(ByteReader &reader, Decimal128 most) {
  Decimal128 distance = read_decimal(reader);
  if (distance.value() < 0 || most < distance)
    refuse_bytes("A bound is out of range.");
  return distance;
}

} // namespace

std::size_t TopK::max_keys() const noexcept {
  return std::max<std::size_t>(4096, 16 * static_cast<std::size_t>(k_));
}

void TopK::change_k(std::int32_t k) {
  if (k < 1 || k > max_k)
    throw Error(ErrorKind::invalid_parameter, "k must be from 1 to 10000");
  if (k_ != 0)
    throw Error(ErrorKind::invalid_parameter, "all rows of a group must have the same k");
  k_ = k;
}

void TopK::raise_scale(int scale) {
  // All or nothing: a total that does not fit must not leave the others scaled.
  auto fits = [&](Decimal128 value) { static_cast<void>(value.scaled(scale - scale_)); };
  fits(missing_below_);
  fits(missing_above_);
  for (const Entry &entry : entries_)
    for (Decimal128 value : {entry.weight, entry.below, entry.above})
      fits(value);
  auto move = [&](Decimal128 &value) { value = value.scaled(scale - scale_); };
  move(missing_below_);
  move(missing_above_);
  for (Entry &entry : entries_)
    for (Decimal128 *value : {&entry.weight, &entry.below, &entry.above})
      move(*value);
  scale_ = scale;
}

/// Where the key stands in slots_, or the empty slot where it belongs.
std::size_t TopK::slot_of(std::string_view key, std::uint32_t hash) const noexcept {
  std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const Entry &entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.key() == key)
      break;
  }
  return slot;
}

void TopK::index(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i)
    slots_[slot_of(entries_[i].key(), entries_[i].hash)] = static_cast<std::uint32_t>(i + 1);
}

TopK::Entry &TopK::insert(std::string_view key, std::uint32_t hash, std::size_t slot) {
  if (key.size() > max_key_size)
    throw Error(ErrorKind::limit_exceeded, "a key of top_k has at most 8192 bytes");
  if (key_bytes_ + key.size() > max_key_bytes)
    throw Error(ErrorKind::limit_exceeded, "the keys of one top_k take more than 64 MB",
                "Give it shorter keys, or groups of fewer keys.");
  Entry entry{nullptr, static_cast<std::uint32_t>(key.size()), hash, {}, {}, {}};
  if (!key.empty()) {
    auto *text = static_cast<char *>(entries_.get_allocator().resource()->allocate(key.size(), 1));
    std::memcpy(text, key.data(), key.size());
    entry.text = text;
  }
  entries_.push_back(entry);
  key_bytes_ += key.size();
  slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  return entries_.back();
}

TopK::Entry &TopK::entry_of(std::string_view key, std::uint32_t hash) {
  if (2 * entries_.size() >= slots_.size())
    index(std::max<std::size_t>(8, 2 * slots_.size()));
  std::size_t slot = slot_of(key, hash);
  if (slots_[slot] != 0)
    return entries_[slots_[slot] - 1];
  Entry &entry = insert(key, hash, slot);
  entry.below = missing_below_;
  entry.above = missing_above_;
  return entry;
}

void TopK::add(std::string_view key, Decimal128 weight, int scale) {
  if (scale > scale_)
    raise_scale(scale);
  Entry &entry = entry_of(key, key_hash(key));
  entry.weight = entry.weight + weight.scaled(scale_ - scale);
  if (entries_.size() > max_keys())
    drop_half();
}

void TopK::drop_half() {
  std::size_t kept = max_keys() / 2;
  auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(kept);
  std::nth_element(entries_.begin(), middle, entries_.end(), [](const Entry &a, const Entry &b) {
    Decimal128 one = magnitude(a), other = magnitude(b);
    return one == other ? a.key() < b.key() : other < one;
  });
  auto *memory = entries_.get_allocator().resource();
  for (auto entry = middle; entry != entries_.end(); ++entry) {
    missing_above_ = std::max(missing_above_, entry->upper());
    missing_below_ = std::max(missing_below_, Decimal128() - entry->lower());
    key_bytes_ -= entry->size;
    if (entry->size != 0)
      memory->deallocate(const_cast<char *>(entry->text), entry->size, 1);
  }
  entries_.erase(middle, entries_.end());
  index(slots_.size());
}

void TopK::merge(const TopK &other) {
  set_k(other.k_);
  int scale = std::max(scale_, other.scale_);
  if (scale > scale_)
    raise_scale(scale);
  auto scaled = [&](Decimal128 value) { return value.scaled(scale - other.scale_); };
  Decimal128 other_below = scaled(other.missing_below_), other_above = scaled(other.missing_above_);

  // Every key of this side may have the other's missing weight too, unless the other holds it.
  if (!other_below.is_zero() || !other_above.is_zero())
    for (Entry &entry : entries_) {
      if (!other.slots_.empty() && other.slots_[other.slot_of(entry.key(), entry.hash)] != 0)
        continue;
      entry.below = entry.below + other_below;
      entry.above = entry.above + other_above;
    }
  for (const Entry &theirs : other.entries_) {
    Entry &ours = entry_of(theirs.key(), theirs.hash);
    ours.weight = ours.weight + scaled(theirs.weight);
    ours.below = ours.below + scaled(theirs.below);
    ours.above = ours.above + scaled(theirs.above);
  }
  missing_below_ = missing_below_ + other_below;
  missing_above_ = missing_above_ + other_above;
  if (entries_.size() > max_keys())
    drop_half();
}

std::pmr::vector<TopK::Entry> TopK::top(std::pmr::memory_resource *memory) const {
  std::pmr::vector<Entry> best(memory);
  best.resize(std::min(entries_.size(), static_cast<std::size_t>(k_)));
  std::partial_sort_copy(entries_.begin(), entries_.end(), best.begin(), best.end(), heavier);
  return best;
}

std::size_t TopK::flat_size() const noexcept {
  std::size_t size = header_size;
  for (const Entry &entry : entries_)
    size += varint_size(entry.size) + entry.size + 16 + 1 + (entry.exact() ? 0 : 32);
  return size;
}

void TopK::flatten(std::uint8_t *bytes) const {
  ByteWriter writer(bytes);
  writer.u8(format_version);
  writer.u32(static_cast<std::uint32_t>(k_));
  writer.u8(static_cast<std::uint8_t>(scale_));
  write_decimal(writer, missing_below_);
  write_decimal(writer, missing_above_);
  writer.u32(static_cast<std::uint32_t>(entries_.size()));
  std::pmr::vector<Entry> sorted(entries_, entries_.get_allocator());
  std::sort(sorted.begin(), sorted.end(),
            [](const Entry &a, const Entry &b) { return a.key() < b.key(); });
  for (const Entry &entry : sorted) {
    write_varint(writer, entry.size);
    writer.text(entry.key());
    write_decimal(writer, entry.weight);
    writer.u8(entry.exact() ? 0 : 1);
    if (!entry.exact()) {
      write_decimal(writer, entry.below);
      write_decimal(writer, entry.above);
    }
  }
}

void TopK::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_version)
    refuse_bytes("The version is unknown.");
  std::uint32_t k = reader.u32();
  if (k < 1 || k > static_cast<std::uint32_t>(max_k))
    refuse_bytes("K is out of bounds.");
  k_ = static_cast<std::int32_t>(k);
  scale_ = reader.u8();
  if (scale_ > Decimal128::max_digits)
    refuse_bytes("The scale is out of bounds.");
  constexpr Decimal128 most = Decimal128::from_words(INT64_MAX, UINT64_MAX);
  missing_below_ = read_distance(reader, most);
  missing_above_ = read_distance(reader, most);
  std::uint32_t count = reader.u32();
  // The shortest key takes 18 bytes: a count that the bytes do not bear out reserves no memory.
  if (count > max_keys() || std::size_t{count} * 18 > reader.left())
    refuse_bytes("The number of keys is wrong.");
  entries_.reserve(count);
  index(std::bit_ceil(std::max<std::size_t>(8, 2 * std::size_t{count})));
  std::string_view last;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t size = read_varint(reader);
    if (size > max_key_size || size + key_bytes_ > max_key_bytes)
      refuse_bytes("A key is too long.");
    std::string_view key = reader.text(size);
    if (i > 0 && key <= last)
      refuse_bytes("The keys are not in ascending order.");
    last = key;
    std::uint32_t hash = key_hash(key);
    Entry &entry = insert(key, hash, slot_of(key, hash));
    entry.weight = read_decimal(reader);
    std::uint8_t inexact = reader.u8();
    if (inexact > 1)
      refuse_bytes("A mark is neither 0 nor 1.");
    if (inexact == 1) {
      entry.below = read_distance(reader, missing_below_);
      entry.above = read_distance(reader, missing_above_);
    }
    Decimal128::Wide bound = 0;
    if (entry.exact() != (inexact == 0) ||
        __builtin_add_overflow(entry.weight.value(), entry.above.value(), &bound) ||
        __builtin_sub_overflow(entry.weight.value(), entry.below.value(), &bound))
      refuse_bytes("A bound is out of range.");
  }
  reader.finish();
}

} // namespace brainsait::core
