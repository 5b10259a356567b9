#include "core/quantile_sketch.hpp"

#include "core/error.hpp"
#include "core/varint.hpp"

#include <algorithm>
#include <cmath>

namespace brainsait::core {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t header_size = 1 + 8 + 4;

} // namespace

void KeyCounts::add_slowly(std::int32_t key, std::int64_t count) {
  if (pages_.empty()) {
    auto place = std::lower_bound(list_.begin(), list_.end(), key,
                                  [](const Item &item, std::int32_t k) { return item.key < k; });
    if (place != list_.end() && place->key == key) {
      place->count += count;
      return;
    }
    if (list_.size() < max_listed) {
      list_.insert(place, Item{key, count});
      return;
    }
    page_for(list_.front().key);
    page_for(list_.back().key);
    for (const Item &item : list_)
      page_for(item.key)[item.key & page_mask] = item.count;
    std::pmr::vector<Item>(list_.get_allocator()).swap(list_);
  }
  page_for(key)[key & page_mask] += count;
}

std::int64_t *KeyCounts::page_for(std::int32_t key) {
  std::int32_t number = key >> page_shift;
  if (pages_.empty())
    first_page_ = number;
  if (number < first_page_) {
    // Room for as many pages again, so that falling keys do not move the list each time.
    std::size_t more = std::max<std::size_t>(static_cast<std::size_t>(first_page_ - number),
                                             std::min<std::size_t>(pages_.size(), 4096));
    pages_.insert(pages_.begin(), more, nullptr);
    first_page_ -= static_cast<std::int32_t>(more);
  }
  std::size_t page = page_of(key);
  if (page >= pages_.size())
    pages_.resize(page + 1, nullptr);
  if (pages_[page] == nullptr) {
    auto *memory = pages_.get_allocator().resource();
    auto *counters = static_cast<std::int64_t *>(
        memory->allocate(page_size * sizeof(std::int64_t), alignof(std::int64_t)));
    std::fill_n(counters, page_size, 0);
    pages_[page] = counters;
  }
  return pages_[page];
}

std::int64_t KeyCounts::at(std::int32_t key) const noexcept {
  std::size_t page = page_of(key);
  if (page < pages_.size() && pages_[page] != nullptr)
    return pages_[page][key & page_mask];
  auto place = std::lower_bound(list_.begin(), list_.end(), key,
                                [](const Item &item, std::int32_t k) { return item.key < k; });
  return place != list_.end() && place->key == key ? place->count : 0;
}

void QuantileSketch::change_relative_error(double relative_error) {
  QuantileMapping mapping(relative_error);
  if (!std::isnan(mapping_.relative_error()))
    throw Error(ErrorKind::invalid_parameter,
                "all values of a quantile_sketch must have the same relative error");
  mapping_ = mapping;
}

void QuantileSketch::refuse_total() {
  throw Error(ErrorKind::limit_exceeded, "a quantile_sketch counts at most 2^63 - 1 values");
}

void QuantileSketch::merge(const QuantileSketch &other) {
  set_relative_error(other.mapping_.relative_error());
  std::int64_t total = 0;
  if (__builtin_add_overflow(total_, other.total_, &total))
    refuse_total();
  other.counts_.for_each([&](std::int32_t key, std::int64_t count) { counts_.add(key, count); });
  total_ = total;
}

void QuantileSketch::subtract(const QuantileSketch &other) {
  set_relative_error(other.mapping_.relative_error());
  other.counts_.for_each([&](std::int32_t key, std::int64_t count) {
    if (counts_.at(key) < count)
      throw Error(ErrorKind::invalid_parameter,
                  "the quantile_sketch to subtract counts values that the other one does not");
  });
  other.counts_.for_each([&](std::int32_t key, std::int64_t count) { counts_.add(key, -count); });
  total_ -= other.total_;
}

std::optional<double> QuantileSketch::percentile(double fraction) const {
  if (!(fraction >= 0 && fraction <= 1))
    throw Error(ErrorKind::invalid_parameter, "the fraction must be from 0 to 1");
  if (total_ == 0)
    return std::nullopt;
  // The first row, counted from 1, at or after this part of all rows, as percentile_disc has it.
  double position = std::ceil(fraction * static_cast<double>(total_));
  std::int64_t row = position >= static_cast<double>(total_)
                         ? total_
                         : std::max<std::int64_t>(static_cast<std::int64_t>(position), 1);
  std::int64_t below = 0;
  std::optional<std::int32_t> found;
  counts_.for_each([&](std::int32_t key, std::int64_t count) {
    below += count;
    if (!found && below >= row)
      found = key;
  });
  return mapping_.value(found.value_or(0));
}

std::size_t QuantileSketch::flat_size() const {
  std::size_t size = header_size;
  std::int32_t last = mapping_.min_key();
  counts_.for_each([&](std::int32_t key, std::int64_t count) {
    size += varint_size(static_cast<std::uint64_t>(key - last)) +
            varint_size(static_cast<std::uint64_t>(count));
    last = key;
  });
  return size;
}

void QuantileSketch::flatten(std::uint8_t *bytes) const {
  std::uint32_t buckets = 0;
  counts_.for_each([&](std::int32_t, std::int64_t) { ++buckets; });
  ByteWriter writer(bytes);
  writer.u8(format_version);
  writer.f64(mapping_.relative_error());
  writer.u32(buckets);
  std::int32_t last = mapping_.min_key();
  counts_.for_each([&](std::int32_t key, std::int64_t count) {
    write_varint(writer, static_cast<std::uint64_t>(key - last));
    write_varint(writer, static_cast<std::uint64_t>(count));
    last = key;
  });
}

void QuantileSketch::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_version)
    refuse_bytes("The version is unknown.");
  double relative_error = reader.f64();
  if (!(relative_error >= QuantileMapping::min_relative_error &&
        relative_error <= QuantileMapping::max_relative_error))
    refuse_bytes("The relative error is out of bounds.");
  mapping_ = QuantileMapping(relative_error);
  std::uint32_t buckets = reader.u32();
  std::int64_t last = mapping_.min_key();
  for (std::uint32_t i = 0; i < buckets; ++i) {
    std::uint64_t apart = read_varint(reader);
    if (apart > static_cast<std::uint64_t>(mapping_.max_key() - last) || (apart == 0 && i > 0))
      refuse_bytes("A bucket is out of order.");
    last += static_cast<std::int64_t>(apart);
    std::uint64_t count = read_varint(reader);
    if (count == 0 || count > static_cast<std::uint64_t>(INT64_MAX - total_))
      refuse_bytes("A count is out of bounds.");
    total_ += static_cast<std::int64_t>(count);
    counts_.add(static_cast<std::int32_t>(last), static_cast<std::int64_t>(count));
  }
  reader.finish();
}

} // namespace brainsait::core
