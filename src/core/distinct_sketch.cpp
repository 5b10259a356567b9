#include "core/distinct_sketch.hpp"

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::uint8_t exact_form = 0;
constexpr std::uint8_t register_form = 1;
constexpr std::size_t header_size = 3;

} // namespace

const char *family_name(HashFamily family) noexcept {
  switch (family) {
  case HashFamily::none:
    return "nothing";
  case HashFamily::integers:
    return "integers";
  case HashFamily::floats:
    return "floating-point numbers";
  case HashFamily::bytes:
    return "texts";
  case HashFamily::uuids:
    return "uuids";
  case HashFamily::other:
    break;
  }
  return "values of another type";
}

void DistinctSketch::become(HashFamily family) {
  if (family_ != HashFamily::none)
    throw Error(ErrorKind::invalid_parameter, std::string("a sketch of ") + family_name(family_) +
                                                  " cannot count " + family_name(family));
  family_ = family;
}

/// Whether an exact sketch has the hash.
bool DistinctSketch::holds(std::uint64_t hash) const noexcept {
  if (hash == 0 || slots_.empty())
    return false;
  std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0 && slots_[slot] != hash)
    slot = (slot + 1) & mask;
  return slots_[slot] != 0;
}

/// Puts a hash other than zero where it belongs; there is room.
void DistinctSketch::insert(std::uint64_t hash) noexcept {
  std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    if (slots_[slot] == hash)
      return;
    slot = (slot + 1) & mask;
  }
  slots_[slot] = hash;
  ++used_;
}

void DistinctSketch::resize(std::size_t slots) {
  std::pmr::vector<std::uint64_t> old(slots, std::uint64_t{0}, slots_.get_allocator());
  old.swap(slots_);
  used_ = 0;
  for (std::uint64_t hash : old)
    if (hash != 0)
      insert(hash);
}

void DistinctSketch::add_exactly(std::uint64_t hash) {
  if (slots_.empty())
    resize(8);
  if (hash == 0)
    has_zero_ = true;
  else
    insert(hash);
  if (exact_count() > max_exact)
    use_registers();
  else if (std::size_t{used_} * 2 > slots_.size())
    resize(slots_.size() * 2);
}

void DistinctSketch::use_registers() {
  registers_.assign(ultraloglog_registers, 0);
  for (std::uint64_t hash : slots_)
    if (hash != 0)
      ultraloglog_add(registers_, hash);
  if (has_zero_)
    ultraloglog_add(registers_, 0);
  std::pmr::vector<std::uint64_t>(slots_.get_allocator()).swap(slots_);
  used_ = 0;
  has_zero_ = false;
}

void DistinctSketch::merge(const DistinctSketch &other) {
  if (other.family_ == HashFamily::none)
    return;
  if (other.family_ != family_)
    become(other.family_);
  if (other.exact()) {
    for (std::uint64_t hash : other.slots_)
      if (hash != 0)
        add(family_, hash);
    if (other.has_zero_)
      add(family_, 0);
    return;
  }
  if (exact())
    use_registers();
  for (std::size_t i = 0; i < registers_.size(); ++i)
    registers_[i] = ultraloglog_merged(registers_[i], other.registers_[i]);
}

std::int64_t DistinctSketch::count() const {
  if (exact())
    return static_cast<std::int64_t>(exact_count());
  double estimate = std::round(ultraloglog_estimate(registers_));
  // What needed registers was more than is counted exactly.
  if (estimate < double{max_exact + 1})
    return max_exact + 1;
  return estimate < 0x1p63 ? static_cast<std::int64_t>(estimate) : INT64_MAX;
}

std::size_t DistinctSketch::flat_size() const noexcept {
  return header_size + (exact() ? 2 + 8 * exact_count() : ultraloglog_registers);
}

void DistinctSketch::flatten(std::uint8_t *bytes) const {
  ByteWriter writer(bytes);
  writer.u8(format_version);
  writer.u8(static_cast<std::uint8_t>(family_));
  writer.u8(exact() ? exact_form : register_form);
  if (!exact()) {
    writer.bytes(registers_);
    return;
  }
  std::array<std::uint64_t, max_exact> sorted; // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::size_t count = 0;
  if (has_zero_)
    sorted[count++] = 0;
  for (std::uint64_t hash : slots_)
    if (hash != 0)
      sorted[count++] = hash;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
  writer.u16(static_cast<std::uint16_t>(count));
  for (std::size_t i = 0; i < count; ++i)
    writer.u64(sorted[i]);
}

void DistinctSketch::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_version)
    refuse_bytes("The version is unknown.");
  std::uint8_t family = reader.u8();
  if (family > static_cast<std::uint8_t>(HashFamily::other))
    refuse_bytes("The kind of values is unknown.");
  family_ = static_cast<HashFamily>(family);
  std::uint8_t form = reader.u8();
  if (form == exact_form) {
    std::size_t count = reader.u16();
    if (count > max_exact || reader.left() != 8 * count)
      refuse_bytes("The number of hashes is wrong.");
    if ((count == 0) != (family_ == HashFamily::none))
      refuse_bytes("The kind of values does not fit their number.");
    resize(std::bit_ceil(std::max<std::size_t>(2 * count, 8)));
    for (std::uint64_t last = 0, i = 0; i < count; ++i) {
      std::uint64_t hash = reader.u64();
      if (i > 0 && hash <= last)
        refuse_bytes("The hashes are not in ascending order.");
      last = hash;
      if (hash == 0)
        has_zero_ = true;
      else
        insert(hash);
    }
  } else if (form == register_form) {
    if (family_ == HashFamily::none)
      refuse_bytes("The kind of values does not fit their number.");
    auto registers = reader.take(ultraloglog_registers);
    if (!std::all_of(registers.begin(), registers.end(), ultraloglog_possible))
      refuse_bytes("A register has a value that no hash gives.");
    if (std::all_of(registers.begin(), registers.end(), [](std::uint8_t r) { return r == 0; }))
      refuse_bytes("The registers are empty.");
    registers_.assign(registers.begin(), registers.end());
  } else {
    refuse_bytes("The form is unknown.");
  }
  reader.finish();
}

} // namespace brainsait::core
