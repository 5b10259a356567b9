#include "core/cohort_retention.hpp"

#include "core/bytes.hpp"

#include <algorithm>

namespace brainsait::core {
namespace {

constexpr std::uint8_t version = 1;

bool is_period(const CohortRetention::Shape &shape) {
  return shape.months >= 0 && shape.days >= 0 && shape.microseconds >= 0 &&
         (shape.months > 0 || shape.days > 0 || shape.microseconds > 0);
}

} // namespace

void CohortRetention::take_shape(const Shape &shape) {
  if (shape_.periods != 0) {
    if (shape != this->shape())
      throw Error(ErrorKind::invalid_parameter,
                  "the rows of a group have different anchors, periods, modes or time zones");
    return;
  }
  if (shape.periods == 0 || shape.periods > max_periods)
    throw Error(ErrorKind::invalid_parameter, "the number of periods must be 1 to 1000");
  if (!is_period(shape))
    throw Error(ErrorKind::invalid_parameter,
                "the period must be longer than zero, in none of its parts negative");
  zone_ = shape.zone;
  active_.assign((shape.periods + 7) / 8, 0);
  shape_ = shape;
  shape_.zone = {};
}

CohortRetention::Shape CohortRetention::shape() const noexcept {
  Shape shape = shape_;
  shape.zone = zone_;
  return shape;
}

void CohortRetention::set_boundaries(std::span<const std::int64_t> boundaries) {
  boundaries_.assign(boundaries.begin(), boundaries.end());
}

void CohortRetention::add(std::int64_t time) {
  auto after = std::upper_bound(boundaries_.begin(), boundaries_.end(), time);
  if (after == boundaries_.begin())
    return;
  auto period = static_cast<unsigned>(after - boundaries_.begin()) - 1;
  if (period == shape_.periods) {
    if (!shape_.on_or_after)
      return;
    --period; // later than all of them
  }
  active_[period / 8] |= static_cast<std::uint8_t>(1 << period % 8);
}

void CohortRetention::merge(const CohortRetention &other) {
  if (other.shape_.periods == 0)
    return;
  take_shape(other.shape());
  for (std::size_t i = 0; i < active_.size(); ++i)
    active_[i] |= other.active_[i];
}

bool CohortRetention::is_active(unsigned period) const noexcept {
  const unsigned last = shape_.on_or_after ? shape_.periods - 1 : period;
  for (; period <= last; ++period)
    if ((active_[period / 8] >> period % 8 & 1) != 0)
      return true;
  return false;
}

void CohortRetention::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != version)
    refuse_bytes("The version is not known.");
  Shape shape;
  const unsigned mode = reader.u8();
  shape.on_or_after = mode == 1;
  shape.anchor = reader.i64();
  shape.months = static_cast<std::int32_t>(reader.u32());
  shape.days = static_cast<std::int32_t>(reader.u32());
  shape.microseconds = reader.i64();
  shape.periods = reader.u16();
  shape.zone = reader.text(reader.u8());
  if (mode > 1 || !is_period(shape) || shape.periods == 0 || shape.periods > max_periods ||
      std::any_of(shape.zone.begin(), shape.zone.end(), [](char c) { return c <= ' ' || c > '~'; }))
    refuse_bytes("Mode, period, number of periods or time zone make no sense.");
  take_shape(shape);
  auto active = reader.take(active_.size());
  reader.finish();
  std::copy(active.begin(), active.end(), active_.begin());
  if (shape.periods % 8 != 0 && active_.back() >> shape.periods % 8 != 0)
    refuse_bytes("There is activity in a period that there is not.");
}

void CohortRetention::flatten(std::uint8_t *bytes) const noexcept {
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u8(shape_.on_or_after ? 1 : 0);
  writer.i64(shape_.anchor);
  writer.u32(static_cast<std::uint32_t>(shape_.months));
  writer.u32(static_cast<std::uint32_t>(shape_.days));
  writer.i64(shape_.microseconds);
  writer.u16(static_cast<std::uint16_t>(shape_.periods));
  writer.u8(static_cast<std::uint8_t>(zone_.size()));
  writer.text(zone_);
  writer.bytes(active_);
}

} // namespace brainsait::core
