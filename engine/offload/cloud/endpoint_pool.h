// The servers that may be asked, in the order in which they are preferred, with what is known of the way to
// each. Thread-safe. Time is passed in, so tests need no clock.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "offload/cloud/link_estimate.h"

namespace saccade {

// What a server can do with a draft. Learnt from its answers, and remembered as long as the pool lives.
enum class DraftAbility {
  unknown,   // nothing was tried
  predicts,  // it takes predictions: one call verifies the draft and goes on from it
  silent,    // it takes none, and prompt log-probabilities were not tried
  scores,    // it gives prompt log-probabilities: a call verifies, a second one goes on
  none,      // neither: it is asked plainly
};

class EndpointPool {
 public:
  // urls: of the calls, at least one.
  EndpointPool(std::vector<std::string> urls, const LinkSettings &settings);

  std::size_t size() const { return urls_.size(); }
  const std::string &url(std::size_t endpoint) const { return urls_[endpoint]; }

  // The first that may be called now; a call on trial is counted as made, and its outcome must be told.
  std::optional<std::size_t> take();
  // The same, of those behind this one and then from the front; without it.
  std::optional<std::size_t> take_another(std::size_t than);

  // How a call to an endpoint ended; `changed` by both: some link is up now and none was, or the reverse.
  bool succeeded(std::size_t endpoint, Duration took, const Transfer &sent);
  bool failed(std::size_t endpoint, Clock::time_point now);
  void withdrawn(std::size_t endpoint);
  // Of one attempt of a call: whether it was lost on the way, and how long its connection took to open, zero
  // when one was open.
  void attempted(std::size_t endpoint, bool lost, Duration connecting);

  DraftAbility ability(std::size_t endpoint) const;
  void learn(std::size_t endpoint, DraftAbility ability);

  // Time until the next link that is down may be tried; empty when none is down.
  std::optional<Duration> time_to_trial(Clock::time_point now) const;
  // Puts those on trial that have been down for long enough; true when there are any.
  bool try_again(Clock::time_point now);

  // Of the link that take() would choose, or of the first when all are down.
  LinkSnapshot snapshot() const;
  // Whether that one verifies drafts, as far as is known.
  bool may_verify() const;
  // Why take() gives nothing.
  std::string why_not(Clock::time_point now) const;

 private:
  struct Way {
    LinkEstimate link;
    DraftAbility ability = DraftAbility::unknown;
  };
  bool any_up() const;              // mutex_ held
  const Way &first_choice() const;  // likewise

  const std::vector<std::string> urls_;
  mutable std::mutex mutex_;
  std::vector<Way> ways_;
};

}  // namespace saccade
