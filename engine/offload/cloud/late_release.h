// Objects that are let go of a moment after they were used.
//
// libsoup closes the stream of a request in chunks on a thread of GLib's, which may be the last to let go of
// it. That stream's signals watch the message (g_signal_connect_object), and GLib 2.74 aborts when both end
// at the same instant ("invalid_closure_notify: assertion failed"): seen once in some hundred runs on busy
// cores. By the moment that is waited here the thread is long done. Used by one thread.
#pragma once

#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "base/glib_pointer.h"
#include "base/time.h"

namespace saccade {

class LateRelease {
 public:
  LateRelease() = default;
  LateRelease(const LateRelease &) = delete;
  LateRelease &operator=(const LateRelease &) = delete;
  // Waits for the moment of the last one, if it was kept just now.
  ~LateRelease() {
    if (!kept_.empty()) std::this_thread::sleep_until(kept_.back().first + kMoment);
  }

  // Until something is kept after its moment, or this ends.
  void keep(ObjectPointer<GObject> object) {
    const auto now = Clock::now();
    while (!kept_.empty() && kept_.front().first + kMoment <= now) kept_.pop_front();
    kept_.emplace_back(now, std::move(object));
  }

 private:
  static constexpr auto kMoment = std::chrono::milliseconds(100);

  std::deque<std::pair<Clock::time_point, ObjectPointer<GObject>>> kept_;
};

}  // namespace saccade
