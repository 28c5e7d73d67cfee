// What is known about the way to the cloud: whether it is up, how long a call takes, how fast bytes go up.
// A circuit breaker: after `failures_to_open` failures in a row the link counts as down for `cool_down`. Then
// its owner puts it on trial with try_again(): it counts as up, so that somebody makes a call, but only one
// call may be out. When that fails the link is down again for twice as long, up to `cool_down_max`. Not
// thread-safe: guard it with the lock of the object that owns it. Time is passed in, so tests need no clock.
#pragma once

#include <array>
#include <cstddef>

#include "base/statistics.h"
#include "base/time.h"

namespace saccade {

struct LinkSettings {
  int failures_to_open = 3;
  Duration cool_down = std::chrono::seconds(5);
  Duration cool_down_max = std::chrono::seconds(60);
  double smoothing = 0.3;  // weight of the newest call in the running means, (0, 1]
};

// Bytes that went up, and the time in which any of them was on its way, the last one's acknowledgement
// included; the model's work is not in it. No bytes = not known.
struct Transfer {
  std::size_t bytes = 0;
  Duration took{};
};

struct LinkSnapshot {
  bool up = true;  // unknown counts as up, so that the first call is made
  Duration
      round_trip{};  // running mean of a call, from its start to its last byte, the model's work included
  double throughput = 0;  // upwards, bytes per second, running mean over the transfers of calls; 0 = unknown
  double throughput_p10 = 0;  // a tenth of the recent transfers were slower; 0 = unknown
  double loss = 0;            // [0, 1]: share of the recent attempts that were lost on the way
  Duration connect_time{};    // to the server and back, from setting up a connection; zero = unknown
  int failures_in_a_row = 0;

  bool operator==(const LinkSnapshot &) const = default;
};

class LinkEstimate {
 public:
  explicit LinkEstimate(LinkSettings settings = {}) : settings_(settings) {}

  // Whether a call may be made now; a call on trial is counted as made.
  bool may_call();
  // How long the link stays down; zero when it is up.
  Duration time_to_trial(Clock::time_point now) const;
  // Puts a link on trial that has been down for long enough; true when it did.
  bool try_again(Clock::time_point now);

  // The outcome of a call. Both return true when the link went up or down by it. sent: of this call alone.
  bool succeeded(Duration took, const Transfer &sent);
  bool failed(Clock::time_point now);
  // Of one call's attempts, how many the network lost: refused, reset, timed out. What a server answered, be
  // it an error, came through. Says nothing to the circuit breaker, which counts calls.
  void attempted(int attempts, int lost);
  // How long it took to open a connection, one round trip; calls over a connection that is open have none.
  void connected(Duration took);
  // The call ended without saying anything about the link (it was cancelled): another may be tried.
  void withdrawn() { trying_ = false; }

  LinkSnapshot snapshot() const { return state_; }

 private:
  void carried(const Transfer &sent);

  static constexpr std::size_t kRecentCalls = 32;  // enough for a tenth of them, few enough to follow a train
  static constexpr std::size_t kRecentAttempts = 32;

  LinkSettings settings_;
  LinkSnapshot state_;
  Clock::time_point down_until_{};
  Duration wait_{};
  bool on_trial_ = false;                             // counts as up, and is not trusted yet
  bool trying_ = false;                               // the one call on trial is out
  DurationStatistics paces_{kRecentCalls};            // per megabyte
  std::array<bool, kRecentAttempts> attempt_lost_{};  // a ring
  std::size_t attempts_ = 0;                          // ever made
};

}  // namespace saccade
