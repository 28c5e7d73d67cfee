// What a run is asked: the standing questions, and those that wait for their one answer.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace saccade::gst {

// Thread-safe.
class QuestionDesk {
 public:
  struct Asked {
    std::string text;
    Clock::time_point at;
  };

  explicit QuestionDesk(std::vector<std::string> standing) : standing_(std::move(standing)) {}

  std::vector<std::string> standing() const {
    const std::lock_guard lock(mutex_);
    return standing_;
  }
  // False when they are what they were.
  bool set_standing(std::vector<std::string> standing) {
    const std::lock_guard lock(mutex_);
    if (standing == standing_) return false;
    standing_ = std::move(standing);
    return true;
  }

  // The question's id, counted apart from the answers'; 0 when too many wait already.
  std::uint64_t ask(const std::string &question) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMost) return 0;
    waiting_.push_back({question, Clock::now()});
    return ++asked_;
  }

  // The one that waits longest is the caller's now.
  std::optional<Asked> take() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  void put_back(Asked question) {
    const std::lock_guard lock(mutex_);
    waiting_.push_front(std::move(question));
  }
  // How many there were.
  std::size_t drop_waiting() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {}).size();
  }

  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  static constexpr std::size_t kMost = 64;

  mutable std::mutex mutex_;
  std::vector<std::string> standing_;
  std::deque<Asked> waiting_;
  std::uint64_t asked_ = 0;
};

}  // namespace saccade::gst
