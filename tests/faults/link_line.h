// One direction of an emulated link, as arithmetic on times that are passed in: no sockets, no clock. Bytes
// of all connections stand in one queue, as before one wire; each unit of them (a TCP segment) takes its time
// on the wire, travels, and may be held back as a lost one is until it is sent again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "base/time.h"

namespace saccade::faults {

using TimePoint = Clock::time_point;

struct LineState {
  Duration delay{};   // one way
  Duration jitter{};  // up to so much more, evenly spread; order is kept
  double rate = 0;    // bytes per second, 0 = without limit, else at least kSlowestRate
  double loss = 0;    // [0, 1]: share of units that arrive `stall` later
  Duration stall = std::chrono::milliseconds(200);  // the least time after which Linux sends again
  double corrupt = 0;                               // [0, 1]: share of bytes of which one bit is flipped
  bool drip = false;                                // bytes trickle in units far smaller than a TCP segment
};

inline constexpr double kSlowestRate = 1;           // bytes per second
inline constexpr std::size_t kSegmentBytes = 1448;  // what a TCP segment carries over Ethernet

// What the line itself says of the times that it gave; a test judges by these and by no clock.
struct LineStatistics {
  std::uint64_t bytes_entered = 0;
  std::uint64_t bytes_left = 0;  // wholly on their way
  std::uint64_t units = 0;
  std::uint64_t units_held_back = 0;
  std::uint64_t bits_flipped = 0;
  std::size_t longest_queue = 0;  // bytes
  Duration busy{};                // the sum of what the units took on the wire
  TimePoint first_entered{};
  TimePoint last_due{};
};

// Not thread-safe.
class Line {
 public:
  struct Unit {
    std::uint64_t connection = 0;
    std::vector<std::uint8_t> bytes;
    TimePoint due;     // when it reaches the other end; units of one connection never overtake each other
    bool end = false;  // nothing follows on this connection
  };

  explicit Line(std::uint64_t seed) : random_(seed) {}

  // What has not left yet goes on as `state` says. leave(now) has been asked until it gave nothing.
  void set_state(const LineState &state, TimePoint now);

  void enter(std::uint64_t connection, std::span<const std::uint8_t> bytes, TimePoint now);
  void enter_end(std::uint64_t connection, TimePoint now);

  // The next unit whose last byte is on the wire at `now`; nothing when there is none.
  std::optional<Unit> leave(TimePoint now);
  // When leave() will have one; nothing when the queue is empty.
  std::optional<TimePoint> next_departure() const;

  std::size_t queued() const { return queued_; }  // bytes
  void forget(std::uint64_t connection);          // its bytes vanish from the queue

  const LineStatistics &statistics() const { return statistics_; }

 private:
  struct Waiting {
    std::uint64_t connection = 0;
    std::vector<std::uint8_t> bytes;
    std::size_t gone = 0;  // bytes of it that have left
    TimePoint entered;
    bool end = false;
  };

  void queue(Waiting waiting);
  std::size_t next_size() const;
  Duration time_on_wire(std::size_t bytes) const;
  Duration time_to_travel();
  void flip_bits(std::vector<std::uint8_t> *bytes);
  double chance();  // [0, 1)
  void draw_next_flip();

  LineState state_;
  std::deque<Waiting> waiting_;
  std::size_t queued_ = 0;
  TimePoint free_{};  // when the wire is done with what has left
  std::uint64_t bytes_to_flip_ = std::numeric_limits<std::uint64_t>::max();  // from here to the next bad one
  std::mt19937_64 random_;
  LineStatistics statistics_;
};

}  // namespace saccade::faults
