#include "core/window_funnel.hpp"

#include "core/bytes.hpp"

#include <algorithm>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::uint8_t version = 1;

bool makes_sense(const FunnelShape &shape) {
  return shape.steps > 0 && shape.steps <= max_funnel_steps && shape.window >= 0 &&
         are_funnel_modes(shape.modes);
}

} // namespace

void WindowFunnel::take_shape(const FunnelShape &shape) {
  if (shape.steps == 0 || shape.steps > max_funnel_steps)
    throw Error(ErrorKind::invalid_parameter,
                "a funnel has 1 to 32 steps, not " + std::to_string(shape.steps));
  if (shape.window < 0)
    throw Error(ErrorKind::invalid_parameter, "the window of a funnel must not be negative");
  if (shape_.steps != 0)
    throw Error(ErrorKind::invalid_parameter,
                "the rows of a group have different windows, modes or numbers of steps");
  shape_ = shape;
}

void WindowFunnel::refuse_event() {
  throw Error(ErrorKind::limit_exceeded, "a funnel has more than 16777216 rows in one group",
              "Group by user, or leave out rows that match no step.");
}

void WindowFunnel::merge(const WindowFunnel &other) {
  if (other.shape_.steps == 0)
    return;
  if (other.shape_ != shape_)
    take_shape(other.shape_);
  if (other.events_.size() > max_events - events_.size())
    refuse_event();
  if (other.events_.empty())
    return;
  sorted_ = events_.empty() ? other.sorted_
                            : sorted_ && other.sorted_ && events_.back() <= other.events_.front();
  events_.insert(events_.end(), other.events_.begin(), other.events_.end());
}

void WindowFunnel::sort() const {
  if (!sorted_)
    std::sort(events_.begin(), events_.end());
  sorted_ = true;
}

FunnelMatch WindowFunnel::match() const {
  if (events_.empty())
    return {};
  sort();
  return match_funnel(events_, shape_.steps, static_cast<std::uint64_t>(shape_.window),
                      shape_.modes);
}

void WindowFunnel::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != version)
    refuse_bytes("The version is not known.");
  shape_.modes = reader.u8();
  shape_.steps = reader.u8();
  shape_.window = reader.i64();
  if (!makes_sense(shape_))
    refuse_bytes("Modes, number of steps or window make no sense.");
  const std::size_t count = reader.u32();
  if (count > max_events || reader.left() != event_size * count)
    refuse_bytes("The number of rows is not that of the bytes.");
  events_.resize(count);
  for (FunnelEvent &event : events_) {
    event.time = reader.i64();
    event.steps = reader.u32();
    if (shape_.steps < 32 && event.steps >> shape_.steps != 0)
      refuse_bytes("A row matches a step that there is not.");
    if (event.steps == 0 && (shape_.modes & strict_order) == 0)
      refuse_bytes("A row matches no step.");
  }
  if (!std::is_sorted(events_.begin(), events_.end()))
    refuse_bytes("The rows are not sorted.");
}

void WindowFunnel::flatten(std::uint8_t *bytes) const {
  sort();
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(shape_.modes));
  writer.u8(static_cast<std::uint8_t>(shape_.steps));
  writer.i64(shape_.window);
  writer.u32(static_cast<std::uint32_t>(events_.size()));
  for (const FunnelEvent &event : events_) {
    writer.i64(event.time);
    writer.u32(event.steps);
  }
}

} // namespace brainsait::core
