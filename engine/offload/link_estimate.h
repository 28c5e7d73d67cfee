// What is known about the way to the cloud: whether it is up, how long a call takes, how fast bytes go.
// A circuit breaker: after `failures_to_open` failures in a row the link counts as down for `cool_down`;
// then one call may probe it. A probe that fails doubles the wait, up to `cool_down_max`.
// Not thread-safe: guard it with the lock of the object that owns it. Time is passed in, so tests need no
// clock.
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

  // Whether a call may be made now. While down it is false, except for one probe per cool-down.
  bool may_call(Clock::time_point now);
  // How long until may_call() can be true again; zero when it can be now.
  Duration time_to_probe(Clock::time_point now) const;

  // The outcome of a call. Both return true when the link went up or down by it.
  bool succeeded(Duration took, std::size_t bytes);
  bool failed(Clock::time_point now);
  // The call ended without saying anything about the link (it was cancelled): a probe may be made again.
  void withdrawn() { probing_ = false; }

  LinkSnapshot snapshot() const { return state_; }

 private:
  LinkSettings settings_;
  LinkSnapshot state_;
  Clock::time_point closed_until_{};
  Duration wait_{};
  bool probing_ = false;
};

}  // namespace saccade
