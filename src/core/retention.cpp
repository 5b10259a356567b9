#include "core/retention.hpp"

#include "core/bytes.hpp"

#include <string>

namespace brainsait::core {
namespace {

constexpr std::uint8_t version = 1;

void check_version(ByteReader &reader) {
  if (reader.u8() != version)
    refuse_bytes("The version is not known.");
}

} // namespace

void Retention::add(unsigned count, std::uint64_t mask) {
  if (count == 0 || count > max_conditions)
    throw Error(ErrorKind::invalid_parameter,
                "retention takes 1 to 64 conditions, not " + std::to_string(count));
  if (count_ != 0 && count_ != count)
    throw Error(ErrorKind::invalid_parameter,
                "the rows of a group have different numbers of conditions");
  count_ = count;
  mask_ |= mask;
}

void Retention::merge(const Retention &other) {
  if (other.count_ != 0)
    add(other.count_, other.mask_);
}

void Retention::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  check_version(reader);
  count_ = reader.u8();
  mask_ = reader.u64();
  reader.finish();
  if (count_ > max_conditions || (count_ < max_conditions && mask_ >> count_ != 0))
    refuse_bytes("There are more conditions than their number says.");
}

void Retention::flatten(std::uint8_t *bytes) const noexcept {
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(count_));
  writer.u64(mask_);
}

void ElementwiseCounts::set_length(std::size_t length) {
  if (length == 0 || length > max_length)
    throw Error(ErrorKind::invalid_parameter,
                "a row to be summed has 1 to 65536 elements, not " + std::to_string(length));
  if (counts_.empty())
    counts_.resize(length);
  else if (counts_.size() != length)
    throw Error(ErrorKind::invalid_parameter, "the rows of a group have different lengths");
}

void ElementwiseCounts::add(std::size_t element, std::int64_t amount) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(counts_[element], amount, &sum))
    throw Error(ErrorKind::out_of_range, "a count is out of range");
  counts_[element] = sum;
}

void ElementwiseCounts::merge(const ElementwiseCounts &other) {
  if (other.counts_.empty())
    return;
  set_length(other.counts_.size());
  for (std::size_t i = 0; i < counts_.size(); ++i)
    add(i, other.counts_[i]);
}

void ElementwiseCounts::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  check_version(reader);
  std::size_t length = reader.u32();
  if (length > max_length || reader.left() != 8 * length)
    refuse_bytes("The length is not that of the bytes.");
  counts_.resize(length);
  for (std::int64_t &count : counts_) {
    count = reader.i64();
    if (count < 0)
      refuse_bytes("A count is negative.");
  }
}

void ElementwiseCounts::flatten(std::uint8_t *bytes) const noexcept {
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u32(static_cast<std::uint32_t>(counts_.size()));
  for (std::int64_t count : counts_)
    writer.i64(count);
}

} // namespace brainsait::core
