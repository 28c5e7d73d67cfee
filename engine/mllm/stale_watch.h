// Gives an answer up when the scene that it speaks of is over.
#pragma once

#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/time.h"

namespace saccade {

// Thread-safe: frames come on one thread, answers grow on another, one at a time.
class StaleWatch {
 public:
  // Zero = no answer is ever given up.
  explicit StaleWatch(Duration max_age) : max_age_(max_age) {}

  // An answer about a picture of `pts` begins. The token asks it to stop when `stop` does, or when it is
  // stale.
  std::stop_token begin(StreamTime pts, std::stop_token stop) {
    if (max_age_ == Duration::zero()) return stop;
    const std::lock_guard lock(mutex_);
    answer_.emplace(pts, std::move(stop));
    give_up_if_stale();
    return answer_->stopping.get_token();
  }

  // A frame that wants an answer itself is there.
  void news(StreamTime pts) {
    const std::lock_guard lock(mutex_);
    newest_ = pts;
    give_up_if_stale();
  }

  // The answer is complete, or has stopped; whether it was for being stale.
  bool end() {
    const std::lock_guard lock(mutex_);
    const bool stale = answer_ && answer_->stale;
    answer_.reset();
    return stale;
  }

 private:
  struct Pass {
    std::stop_source &stopping;
    void operator()() const { stopping.request_stop(); }
  };
  struct Growing {
    Growing(StreamTime of, std::stop_token stop) : pts(of), also(std::move(stop), Pass{stopping}) {}
    StreamTime pts;
    std::stop_source stopping;
    bool stale = false;
    std::stop_callback<Pass> also;
  };

  void give_up_if_stale() {
    if (!answer_ || !newest_ || *newest_ - answer_->pts <= max_age_) return;
    answer_->stale = true;
    answer_->stopping.request_stop();
  }

  const Duration max_age_;
  std::mutex mutex_;
  std::optional<StreamTime> newest_;
  std::optional<Growing> answer_;
};

}  // namespace saccade
