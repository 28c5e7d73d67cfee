// How often each client may ask.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "base/time.h"

namespace saccade {

// A token bucket for each client: it holds as many requests as come in a second, at least one, and fills
// steadily. Used by one thread at a time.
class RateLimit {
 public:
  // 0 = any number.
  explicit RateLimit(double requests_per_second) : rate_(requests_per_second) {}

  // Zero, and the request counts, when it may be made now; else how long to wait before the next one.
  Duration ask(const std::string &client, Clock::time_point now = Clock::now());

 private:
  struct Bucket {
    double left = 0;
    Clock::time_point at;
  };
  double most() const { return rate_ > 1 ? rate_ : 1; }
  void forget_idle(Clock::time_point now);

  double rate_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace saccade
