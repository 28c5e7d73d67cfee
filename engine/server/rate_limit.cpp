#include "server/rate_limit.h"

#include <algorithm>

namespace saccade {
namespace {

constexpr std::size_t kMostClients = 16'384;  // that are remembered: about 2 MB

}  // namespace

Duration RateLimit::ask(const std::string &client, Clock::time_point now) {
  if (rate_ <= 0) return {};
  if (buckets_.size() >= kMostClients && !buckets_.contains(client)) forget_idle(now);
  auto &bucket = buckets_.try_emplace(client, Bucket{most(), now}).first->second;
  bucket.left = std::min(most(), bucket.left + to_seconds(now - bucket.at) * rate_);
  bucket.at = now;
  if (bucket.left < 1) return from_seconds((1 - bucket.left) / rate_);
  bucket.left -= 1;
  return {};
}

// Whoever's bucket is full again is as good as new. When that frees no place, everybody starts anew: better
// than an unbounded table.
void RateLimit::forget_idle(Clock::time_point now) {
  std::erase_if(buckets_, [&](const auto &one) {
    return one.second.left + to_seconds(now - one.second.at) * rate_ >= most();
  });
  if (buckets_.size() >= kMostClients) buckets_.clear();
}

}  // namespace saccade
