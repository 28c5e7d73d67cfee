#include "offload/cloud/endpoint_pool.h"

#include <algorithm>
#include <chrono>

#include "offload/cloud/endpoint.h"

namespace saccade {

EndpointPool::EndpointPool(std::vector<std::string> urls, const LinkSettings &settings)
    : urls_(std::move(urls)), ways_(urls_.size(), Way{LinkEstimate(settings), DraftAbility::unknown}) {}

std::optional<std::size_t> EndpointPool::take() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < ways_.size(); ++i)
    if (ways_[i].link.may_call()) return i;
  return std::nullopt;
}

std::optional<std::size_t> EndpointPool::take_another(std::size_t than) {
  const std::lock_guard lock(mutex_);
  for (std::size_t step = 1; step < ways_.size(); ++step) {
    const auto i = (than + step) % ways_.size();
    if (ways_[i].link.may_call()) return i;
  }
  return std::nullopt;
}

bool EndpointPool::succeeded(std::size_t endpoint, Duration took, const Transfer &sent) {
  const std::lock_guard lock(mutex_);
  const bool before = any_up();
  ways_[endpoint].link.succeeded(took, sent);
  return before != any_up();
}

bool EndpointPool::failed(std::size_t endpoint, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const bool before = any_up();
  ways_[endpoint].link.failed(now);
  return before != any_up();
}

void EndpointPool::withdrawn(std::size_t endpoint) {
  const std::lock_guard lock(mutex_);
  ways_[endpoint].link.withdrawn();
}

void EndpointPool::attempted(std::size_t endpoint, bool lost, Duration connecting) {
  const std::lock_guard lock(mutex_);
  auto &link = ways_[endpoint].link;
  link.attempted(1, lost ? 1 : 0);
  if (connecting > Duration::zero()) link.connected(connecting);
}

DraftAbility EndpointPool::ability(std::size_t endpoint) const {
  const std::lock_guard lock(mutex_);
  return ways_[endpoint].ability;
}

void EndpointPool::learn(std::size_t endpoint, DraftAbility ability) {
  const std::lock_guard lock(mutex_);
  ways_[endpoint].ability = ability;
}

std::optional<Duration> EndpointPool::time_to_trial(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  std::optional<Duration> soonest;
  for (const auto &way : ways_) {
    if (way.link.snapshot().up) continue;
    const auto wait = way.link.time_to_trial(now);
    soonest = soonest ? std::min(*soonest, wait) : wait;
  }
  return soonest;
}

bool EndpointPool::try_again(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (auto &way : ways_) any |= way.link.try_again(now);
  return any;
}

LinkSnapshot EndpointPool::snapshot() const {
  const std::lock_guard lock(mutex_);
  return first_choice().link.snapshot();
}

bool EndpointPool::may_verify() const {
  const std::lock_guard lock(mutex_);
  return first_choice().ability != DraftAbility::none;
}

const EndpointPool::Way &EndpointPool::first_choice() const {
  const auto up = std::find_if(ways_.begin(), ways_.end(), [](const Way &w) { return w.link.snapshot().up; });
  return up == ways_.end() ? ways_.front() : *up;
}

std::string EndpointPool::why_not(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  std::string why;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const auto &link = ways_[i].link;
    if (!why.empty()) why += "; ";
    why += "the link to ";
    why += url_for_people(urls_[i]);
    if (link.snapshot().up) {
      why += " was down, and another segment tries it now";
      continue;
    }
    const auto wait = std::chrono::ceil<std::chrono::seconds>(link.time_to_trial(now)).count();
    why += " is down after " + std::to_string(link.snapshot().failures_in_a_row) +
           " failed calls; it is tried again in " + std::to_string(wait) + " s";
  }
  return why;
}

bool EndpointPool::any_up() const {
  return std::any_of(ways_.begin(), ways_.end(), [](const Way &w) { return w.link.snapshot().up; });
}

}  // namespace saccade
