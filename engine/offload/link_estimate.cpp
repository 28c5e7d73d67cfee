#include "offload/link_estimate.h"

#include <algorithm>

namespace saccade {

bool LinkEstimate::may_call(Clock::time_point now) {
  if (state_.up) return true;
  if (probing_ || now < closed_until_) return false;
  probing_ = true;
  return true;
}

Duration LinkEstimate::time_to_probe(Clock::time_point now) const {
  if (state_.up || now >= closed_until_) return Duration::zero();
  return closed_until_ - now;
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
  probing_ = false;
  wait_ = Duration::zero();
  return was_down;
}

bool LinkEstimate::failed(Clock::time_point now) {
  const bool was_up = state_.up;
  ++state_.failures_in_a_row;
  const bool probe_failed = !was_up && probing_;
  probing_ = false;
  if (was_up && state_.failures_in_a_row < settings_.failures_to_open) return false;
  if (was_up) wait_ = settings_.cool_down;
  if (probe_failed) wait_ = std::min(wait_ * 2, settings_.cool_down_max);
  // A straggler that fails while the link is already down moves nothing.
  if (was_up || probe_failed) closed_until_ = now + wait_;
  state_.up = false;
  return was_up;
}

}  // namespace saccade
