#include "core/session_stats.hpp"

#include "core/bytes.hpp"

#include <algorithm>
#include <string>

namespace brainsait::core {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t header_size = 13;
constexpr std::size_t session_size = 24;

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result))
    throw Error(ErrorKind::out_of_range, "the sum over sessions is out of range");
  return result;
}

} // namespace

void SessionStats::take_gap(std::int64_t gap) {
  if (gap < 0)
    throw Error(ErrorKind::invalid_parameter, "the gap between sessions must not be negative");
  if (gap_ != no_gap && gap_ != gap)
    throw Error(ErrorKind::invalid_parameter, "the rows of a group have different gaps");
  gap_ = gap;
}

void SessionStats::add(std::int64_t gap, std::int64_t time) {
  if (gap != gap_ || gap < 0)
    take_gap(gap);
  // Events mostly come in the order of time.
  if (!sessions_.empty()) {
    Session &session = sessions_.back();
    if (time >= session.first && is_near(session.last, time)) {
      session.last = std::max(session.last, time);
      session.events = sum(session.events, 1);
      return;
    }
  }
  append({time, time, 1});
}

void SessionStats::append(const Session &session) {
  // Joined often enough that few of them belong together, and seldom enough that it costs little.
  constexpr std::size_t least = 256;
  if (sessions_.size() >= std::min(std::max(least, 2 * joined_), most_ + most_ / 16))
    join();
  sessions_.push_back(session);
}

void SessionStats::join() const {
  auto earlier = [](const Session &a, const Session &b) { return a.first < b.first; };
  if (!std::is_sorted(sessions_.begin(), sessions_.end(), earlier))
    std::sort(sessions_.begin(), sessions_.end(), earlier);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < sessions_.size(); ++i) {
    Session &session = sessions_[kept];
    const Session &next = sessions_[i];
    if (is_near(session.last, next.first)) {
      session.last = std::max(session.last, next.last);
      session.events = sum(session.events, next.events);
    } else {
      sessions_[++kept] = next;
    }
  }
  if (!sessions_.empty())
    sessions_.resize(kept + 1);
  joined_ = sessions_.size();
  if (joined_ > most_)
    throw Error(ErrorKind::limit_exceeded,
                "a group has more than " + std::to_string(most_) + " sessions",
                "Group by visitor.");
}

void SessionStats::merge(const SessionStats &other) {
  if (other.gap_ == no_gap)
    return;
  take_gap(other.gap_);
  for (const Session &session : other.sessions_)
    append(session);
}

SessionTotals SessionStats::totals() const {
  join();
  SessionTotals totals;
  totals.sessions = static_cast<std::int64_t>(sessions_.size());
  for (const Session &session : sessions_) {
    std::int64_t duration = 0;
    if (__builtin_sub_overflow(session.last, session.first, &duration))
      throw Error(ErrorKind::out_of_range, "a session's duration is out of range");
    totals.bounces += session.events == 1 ? 1 : 0;
    totals.total_duration = sum(totals.total_duration, duration);
    totals.events = sum(totals.events, session.events);
  }
  return totals;
}

void SessionStats::load(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != version)
    refuse_bytes("The version is not known.");
  gap_ = reader.i64();
  const std::size_t count = reader.u32();
  if (gap_ < 0 || count > most_ || reader.left() != session_size * count)
    refuse_bytes("The gap is negative, or the number of sessions is not that of the bytes.");
  sessions_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    Session &session = sessions_[i];
    session = {reader.i64(), reader.i64(), reader.i64()};
    if (session.first > session.last || session.events < 1 ||
        (session.events == 1 && session.first != session.last))
      refuse_bytes("A session ends before it begins, or has too few events.");
    if (i > 0 && is_near(sessions_[i - 1].last, session.first))
      refuse_bytes("Sessions are not sorted, or closer than the gap.");
  }
  joined_ = count;
}

std::size_t SessionStats::flat_size() const {
  join();
  return header_size + session_size * sessions_.size();
}

void SessionStats::flatten(std::uint8_t *bytes) const {
  ByteWriter writer(bytes);
  writer.u8(version);
  writer.i64(gap_);
  writer.u32(static_cast<std::uint32_t>(sessions_.size()));
  for (const Session &session : sessions_) {
    writer.i64(session.first);
    writer.i64(session.last);
    writer.i64(session.events);
  }
}

} // namespace brainsait::core
