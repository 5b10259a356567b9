#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace brainsait::core {

/// What SessionStats counted. Durations are microseconds from a session's first event to its last.
struct SessionTotals {
  std::int64_t sessions = 0;
  std::int64_t bounces = 0; ///< sessions of a single event
  std::int64_t total_duration = 0;
  std::int64_t events = 0;

  friend bool operator==(const SessionTotals &, const SessionTotals &) = default;
};

/// Sessions of one visitor: events whose neighbours in time are no more than a gap apart. Events of
/// one session are merged as they come, so that memory grows with the number of sessions, and two
/// of these merge exactly.
class SessionStats {
public:
  /// 384 MB both in memory and stored; a sixteenth more before sessions that touch are joined.
  static constexpr std::size_t max_sessions = std::size_t{1} << 24;

  explicit SessionStats(std::pmr::memory_resource *memory, std::size_t most = max_sessions)
      : most_(most), sessions_(memory) {}

  /// An event at `time`; `gap` is the longest pause within a session, both in microseconds. Throws
  /// invalid_parameter for a negative gap or one that differs from that of the events before,
  /// limit_exceeded for too many sessions.
  void add(std::int64_t gap, std::int64_t time);
  void merge(const SessionStats &other);

  /// Throws out_of_range where the durations add up to more than 64 bits, limit_exceeded as add().
  SessionTotals totals() const;

  /// Stored form: version 1, gap (i64), number of sessions (u32), and each session's first and last
  /// time (i64) and number of events (i64), in the order of time.
  void load(std::span<const std::uint8_t> bytes);
  std::size_t flat_size() const;
  void flatten(std::uint8_t *bytes) const;

private:
  struct Session {
    std::int64_t first, last, events;
  };
  static constexpr std::int64_t no_gap = -1;

  void take_gap(std::int64_t gap);
  void append(const Session &session);
  /// Sorts and joins; afterwards no two sessions are within the gap.
  void join() const;
  bool is_near(std::int64_t earlier, std::int64_t later) const {
    return later <= earlier ||
           static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier) <=
               static_cast<std::uint64_t>(gap_);
  }

  std::size_t most_;
  std::int64_t gap_ = no_gap;
  // How far they are joined is nobody's business, so that reading may join.
  mutable std::pmr::vector<Session> sessions_;
  mutable std::size_t joined_ = 0; ///< so many were left by the last join()
};

} // namespace brainsait::core
