// What is known about the way to the cloud: whether it is up, how long a call takes, how fast bytes go.
// A circuit breaker: after `failures_to_open` failures in a row the link counts as down for `cool_down`. Then
// its owner puts it on trial with try_again(): it counts as up, so that somebody makes a call, but only one
// call may be out. When that fails the link is down again for twice as long, up to `cool_down_max`. Not
// thread-safe: guard it with the lock of the object that owns it. Time is passed in, so tests need no clock.
#pragma once

#include <cstddef>

#include "base/time.h"

namespace saccade {

struct LinkSettings {
  int failures_to_open = 3;
  Duration cool_down = std::chrono::seconds(5);
  Duration cool_down_max = std::chrono::seconds(60);
  double smoothing = 0.3;  // weight of the newest call in the running means, (0, 1]
};

struct LinkSnapshot {
  bool up = true;  // unknown counts as up, so that the first call is made
  Duration
      round_trip{};  // running mean from the first byte sent to the last received, the model's work included
  double throughput =
      0;  // bytes per second both ways, by the same clock: a lower bound of the wire; 0 = unknown
  int failures_in_a_row = 0;
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

  // The outcome of a call. Both return true when the link went up or down by it.
  bool succeeded(Duration took, std::size_t bytes);
  bool failed(Clock::time_point now);
  // The call ended without saying anything about the link (it was cancelled): another may be tried.
  void withdrawn() { trying_ = false; }

  LinkSnapshot snapshot() const { return state_; }

 private:
  LinkSettings settings_;
  LinkSnapshot state_;
  Clock::time_point down_until_{};
  Duration wait_{};
  bool on_trial_ = false;  // counts as up, and is not trusted yet
  bool trying_ = false;    // the one call on trial is out
};

}  // namespace saccade
