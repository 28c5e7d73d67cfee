#include "offload/cloud/link_estimate.h"

#include <algorithm>

namespace saccade {

namespace {

constexpr double kMegabyte = 1e6;
// The kernel counts time in ticks of up to this. What took less says how fast the link is at least.
constexpr Duration kTick = std::chrono::milliseconds(10);

}  // namespace

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

bool LinkEstimate::succeeded(Duration took, const Transfer &sent) {
  const bool was_down = !state_.up;
  const double a = settings_.smoothing;
  const bool first = state_.round_trip == Duration::zero();
  const double mean = a * to_seconds(took) + (1 - a) * to_seconds(state_.round_trip);
  state_.round_trip = first ? took : from_seconds(mean);
  if (sent.bytes > 0) carried(sent);
  state_.failures_in_a_row = 0;
  state_.up = true;
  on_trial_ = trying_ = false;
  return was_down;
}

void LinkEstimate::carried(const Transfer &sent) {
  const double a = settings_.smoothing;
  const double rate = static_cast<double>(sent.bytes) / to_seconds(std::max(sent.took, kTick));
  state_.throughput = state_.throughput > 0 ? a * rate + (1 - a) * state_.throughput : rate;
  paces_.add(from_seconds(kMegabyte / rate));
  state_.throughput_p10 = kMegabyte / to_seconds(paces_.quantile(0.9));
}

void LinkEstimate::attempted(int attempts, int lost) {
  for (int i = 0; i < std::min(attempts, static_cast<int>(kRecentAttempts)); ++i)
    attempt_lost_[attempts_++ % kRecentAttempts] = i < lost;
  if (attempts_ == 0) return;
  const auto known = std::min(attempts_, kRecentAttempts);
  const auto count = std::count(attempt_lost_.begin(), attempt_lost_.end(), true);
  state_.loss = static_cast<double>(count) / static_cast<double>(known);
}

void LinkEstimate::connected(Duration took) {
  if (took <= Duration::zero()) return;
  const double a = settings_.smoothing;
  const bool first = state_.connect_time == Duration::zero();
  const double mean = a * to_seconds(took) + (1 - a) * to_seconds(state_.connect_time);
  state_.connect_time = first ? took : from_seconds(mean);
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
