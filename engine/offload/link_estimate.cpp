#include "offload/link_estimate.h"

#include <algorithm>

namespace saccade {

bool LinkEstimate::may_call() {
  if (!state_.up || trying_) return false;
  trying_ = on_trial_;
  return true;
}

Duration LinkEstimate::time_to_trial(Clock::time_point now) const {
  return state_.up ? Duration::zero() : std::max(Duration::zero(), Duration(down_until_ - now));
}

bool LinkEstimate::try_again(Clock::time_point now) {
  if (state_.up || now < down_until_) return false;
  state_.up = true;
  on_trial_ = true;
  return true;
}

bool LinkEstimate::succeeded(Duration took, std::size_t bytes) {
  const bool was_down = !state_.up;
  const double a = settings_.smoothing;
  const double seconds = std::max(to_seconds(took), 1e-6);
  const double rate = static_cast<double>(bytes) / seconds;
  const bool first = state_.round_trip == Duration::zero();
  state_.round_trip = first ? took : from_seconds(a * seconds + (1 - a) * to_seconds(state_.round_trip));
  state_.throughput = first ? rate : a * rate + (1 - a) * state_.throughput;
  state_.failures_in_a_row = 0;
  state_.up = true;
  on_trial_ = trying_ = false;
  return was_down;
}

bool LinkEstimate::failed(Clock::time_point now) {
  ++state_.failures_in_a_row;
  // A straggler from before says nothing new about a link that is down or waits for its trial.
  if (!state_.up || (on_trial_ && !trying_)) return false;
  if (!on_trial_ && state_.failures_in_a_row < settings_.failures_to_open) return false;
  wait_ = on_trial_ ? std::min(wait_ * 2, settings_.cool_down_max) : settings_.cool_down;
  down_until_ = now + wait_;
  state_.up = on_trial_ = trying_ = false;
  return true;
}

}  // namespace saccade
