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
  events_.set_steps(shape.steps);
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
  events_.append(other.events_);
}

FunnelMatch WindowFunnel::match() const {
  events_.sort();
  std::pmr::vector<FunnelEvent> rows(events_.memory());
  rows.reserve(events_.size());
  for (std::size_t i = 0; i < events_.size(); ++i)
    rows.push_back(events_[i]);
  return match_funnel(rows, shape_.steps, static_cast<std::uint64_t>(shape_.window), shape_.modes);
}

/// Without modes a row takes every chain on that it can, so the latest start of a chain at each
/// level is all there is to know: of two at one level it can do whatever the other can.
unsigned WindowFunnel::level_of_free_rows() const {
  const auto window = static_cast<std::uint64_t>(shape_.window);
  std::array<std::int64_t, max_funnel_steps> starts{}; // of chains that reached the step
  unsigned level = 0;
  for (std::size_t i = 0; i < events_.size() && level < shape_.steps;) {
    FunnelEvent now = events_[i++];
    for (; i < events_.size(); ++i) { // rows of one time, in whatever order helps
      const FunnelEvent next = events_[i];
      if (next.time != now.time)
        break;
      now.steps |= next.steps;
    }
    for (std::uint32_t rest = now.steps; rest != 0; rest &= rest - 1) {
      const auto step = static_cast<unsigned>(__builtin_ctz(rest));
      if (step > level)
        break; // nobody is so far, and later steps are farther
      const std::int64_t start = step == 0 ? now.time : starts[step - 1];
      if (static_cast<std::uint64_t>(now.time) - static_cast<std::uint64_t>(start) > window)
        continue;
      if (step == level)
        starts[level++] = start;
      else
        starts[step] = std::max(starts[step], start);
    }
  }
  return level;
}

unsigned WindowFunnel::level() const {
  if (shape_.modes != 0)
    return match().level;
  events_.sort();
  return level_of_free_rows();
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
  events_.set_steps(shape_.steps);
  events_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t time = reader.i64();
    const std::uint32_t steps = reader.u32();
    if (shape_.steps < 32 && steps >> shape_.steps != 0)
      refuse_bytes("A row matches a step that there is not.");
    if (!counts(steps))
      refuse_bytes("A row matches no step.");
    events_.append({time, steps});
    if (!events_.sorted())
      refuse_bytes("The rows are not sorted.");
  }
}

void WindowFunnel::flatten(std::uint8_t *bytes) const {
  events_.sort();
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(shape_.modes));
  writer.u8(static_cast<std::uint8_t>(shape_.steps));
  writer.i64(shape_.window);
  writer.u32(static_cast<std::uint32_t>(events_.size()));
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const FunnelEvent event = events_[i];
    writer.i64(event.time);
    writer.u32(event.steps);
  }
}

} // namespace brainsait::core
