// One worker thread behind a bounded queue: how an element works slower than its input without ever
// making the streaming thread wait for more than the chosen leak allows.
// Payloads and serialized events leave in the order in which they came; the bound and the leak concern
// payloads only. All functions may be called from any thread, and no lock is held in a callback unless
// it says so.
#pragma once

#include <gst/gst.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <variant>

#include "common/pointers.h"

namespace saccade::gst {

enum class Leaky {
  none,        // push() waits for room
  upstream,    // the newest payload is dropped
  downstream,  // the oldest payload is dropped
};
enum class DropReason { leak, flush, stop };
enum class PushResult { queued, dropped, refused };  // refused: flushing or stopped

// One GAP over both, when both are GAP events in the order of time; else null.
EventPtr joined_gap(GstEvent *first, GstEvent *second);

template <typename Payload>
class StageQueue {
 public:
  struct Callbacks {
    // On the worker. The token stops when a flush or stop wants the worker back; process() then has to
    // return soon. A call into GStreamer that blocks has to be freed by whoever flushes or deactivates pads.
    std::function<void(Payload, std::stop_token)> process;
    std::function<void(EventPtr)> forward;  // on the worker
    // For those who use call_at(); on the worker, between two items: the moment that it named has come.
    std::function<void()> due{};
    // On the thread that pushed, flushed or stopped: the payload will never be processed.
    std::function<void(Payload, DropReason)> dropped;
    // Optional; locked, so it must not call the queue: what takes a leaked payload's place, usually a
    // GAP. Neighbouring GAPs are joined, so that a stalled worker does not pile them up.
    std::function<EventPtr(const Payload &)> replacement{};
    // Optional, on the thread that flushed or stopped: an event that the worker will never see.
    std::function<void(EventPtr)> event_dropped{};
  };

  explicit StageQueue(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}
  ~StageQueue() { stop(); }
  StageQueue(const StageQueue &) = delete;
  StageQueue &operator=(const StageQueue &) = delete;

  // `capacity` payloads may wait besides the one in work; at least 1. May change while running.
  void configure(std::size_t capacity, Leaky leaky) {
    const std::lock_guard lock(mutex_);
    capacity_ = std::max<std::size_t>(capacity, 1);
    leaky_ = leaky;
    changed_.notify_all();
  }

  // Starts the worker; does nothing when it runs. A flush that was on is over.
  void start() {
    const std::lock_guard lock(mutex_);
    if (worker_.joinable()) return;
    stopped_ = flushing_ = false;
    cancel_ = std::stop_source();
    worker_ = std::jthread([this] { run(); });
    worker_id_ = worker_.get_id();
  }

  // Cancels the work, drops what waits and refuses what comes; does not wait for the worker. For elements
  // that must free a blocked push() before they can deactivate the pads that their worker may be blocked on.
  void cancel() { close(stopped_, DropReason::stop); }

  // cancel(), then joins the worker, from any state; not from a callback, and not while another thread
  // starts or stops.
  void stop() {
    cancel();
    std::jthread ending;  // joined at the end of the scope, without the lock
    const std::lock_guard lock(mutex_);
    ending = std::move(worker_);
  }

  // On: frees waiting pushes, drops what waits, cancels the work and waits until the worker is idle
  // (called on the worker it does not wait). Off: takes payloads again.
  void set_flushing(bool flushing) {
    if (flushing) {
      close(flushing_, DropReason::flush);
      std::unique_lock lock(mutex_);
      if (std::this_thread::get_id() != worker_id_) changed_.wait(lock, [this] { return !busy_; });
    } else {
      const std::lock_guard lock(mutex_);
      flushing_ = false;
      if (!stopped_) cancel_ = std::stop_source();
    }
  }

  // Waits for room only when leaky is none. `dropped`: this payload was; an older one that had to go
  // still counts as `queued`.
  PushResult push(Payload payload) {
    std::optional<Payload> lost;
    auto result = PushResult::queued;
    {
      std::unique_lock lock(mutex_);
      if (leaky_ == Leaky::none) {
        changed_.wait(lock, [this] { return closed() || leaky_ != Leaky::none || waiting_ < capacity_; });
      }
      if (closed()) return PushResult::refused;
      if (waiting_ >= capacity_ && leaky_ == Leaky::upstream) {
        replace(items_.end(), payload);
        lost = std::move(payload);
        result = PushResult::dropped;
      } else {
        if (waiting_ >= capacity_) lost = take_oldest();
        items_.emplace_back(std::in_place_index<0>, std::move(payload));
        ++waiting_;
      }
      changed_.notify_all();
    }
    if (lost && callbacks_.dropped) callbacks_.dropped(std::move(*lost), DropReason::leak);
    return result;
  }

  // Never waits and never leaks; false when flushing or stopped. A GAP that follows a waiting GAP is joined
  // to it, so that a stalled worker does not pile them up.
  bool push_event(EventPtr event) {
    const std::lock_guard lock(mutex_);
    if (closed()) return false;
    if (!items_.empty() && items_.back().index() == 1) {
      auto &last = std::get<1>(items_.back());
      if (auto joined = joined_gap(last.get(), event.get())) {
        last = std::move(joined);
        return true;
      }
    }
    items_.emplace_back(std::in_place_index<1>, std::move(event));
    changed_.notify_all();
    return true;
  }

  // Has the worker call `due` once, at this moment or as soon after it as it is between two items. The last
  // call counts, and a flush forgets it; nothing: not at all.
  void call_at(std::optional<std::chrono::steady_clock::time_point> moment) {
    const std::lock_guard lock(mutex_);
    due_at_ = moment;
    changed_.notify_all();
  }

  // Waits until all that was pushed is done; false when a flush or stop came first. Not from a callback.
  bool drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed() || (items_.empty() && !busy_); });
    return !closed();
  }

  std::size_t level() const {  // payloads that wait
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  using Item = std::variant<Payload, EventPtr>;
  using Items = std::deque<Item>;

  bool closed() const { return stopped_ || flushing_; }

  void run() {
    std::unique_lock lock(mutex_);
    while (wait_for_work(lock)) {
      busy_ = true;
      if (is_due()) {
        due_at_.reset();
        lock.unlock();
        callbacks_.due();
      } else {
        Item item = std::move(items_.front());
        items_.pop_front();
        if (item.index() == 0) --waiting_;
        const auto cancelled = cancel_.get_token();
        changed_.notify_all();
        lock.unlock();
        handle(std::move(item), cancelled);
      }
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  // False: stopped.
  bool wait_for_work(std::unique_lock<std::mutex> &lock) {
    while (!stopped_ && (flushing_ || (items_.empty() && !is_due()))) {
      if (due_at_ && !flushing_) {
        const auto until = *due_at_;  // a copy: it may change meanwhile
        changed_.wait_until(lock, until);
      } else {
        changed_.wait(lock);
      }
    }
    return !stopped_;
  }

  bool is_due() const { return due_at_ && std::chrono::steady_clock::now() >= *due_at_; }

  void handle(Item item, const std::stop_token &cancelled) {
    if (auto *payload = std::get_if<0>(&item)) {
      callbacks_.process(std::move(*payload), cancelled);
    } else {
      callbacks_.forward(std::get<1>(std::move(item)));
    }
  }

  // Sets `flag` (stopped_ or flushing_), cancels the work and hands back all that waits.
  void close(bool &flag, DropReason reason) {
    Items lost;
    std::stop_source cancel{std::nostopstate};
    {
      const std::lock_guard lock(mutex_);
      flag = true;
      lost.swap(items_);
      waiting_ = 0;
      due_at_.reset();
      cancel = cancel_;
      changed_.notify_all();
    }
    cancel.request_stop();
    for (auto &item : lost) {
      if (item.index() == 0) {
        if (callbacks_.dropped) callbacks_.dropped(std::get<0>(std::move(item)), reason);
      } else if (callbacks_.event_dropped) {
        callbacks_.event_dropped(std::get<1>(std::move(item)));
      }
    }
  }

  Payload take_oldest() {
    const auto oldest =
        std::find_if(items_.begin(), items_.end(), [](const Item &item) { return item.index() == 0; });
    Payload payload = std::get<0>(std::move(*oldest));
    const auto place = items_.erase(oldest);
    --waiting_;
    replace(place, payload);
    return payload;
  }

  // Puts the replacement of `payload` before `place`, joined with the GAPs on either side.
  void replace(typename Items::iterator place, const Payload &payload) {
    EventPtr event = callbacks_.replacement ? callbacks_.replacement(payload) : nullptr;
    if (!event) return;
    if (place != items_.end() && place->index() == 1) {
      if (auto joined = joined_gap(event.get(), std::get<1>(*place).get())) {
        event = std::move(joined);
        place = items_.erase(place);
      }
    }
    if (place != items_.begin() && std::prev(place)->index() == 1) {
      auto &before = std::get<1>(*std::prev(place));
      if (auto joined = joined_gap(before.get(), event.get())) {
        before = std::move(joined);
        return;
      }
    }
    items_.emplace(place, std::in_place_index<1>, std::move(event));
  }

  const Callbacks callbacks_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // anything below
  Items items_;
  std::size_t waiting_ = 0;  // payloads in items_
  std::size_t capacity_ = 1;
  Leaky leaky_ = Leaky::none;
  bool stopped_ = true;
  bool flushing_ = false;
  bool busy_ = false;  // in a callback
  std::optional<std::chrono::steady_clock::time_point> due_at_;
  std::stop_source cancel_{std::nostopstate};
  std::jthread worker_;
  std::thread::id worker_id_;
};

}  // namespace saccade::gst
