// Tests of common/stage_queue.h. No test waits for time to pass: workers stand still at gates that the
// test opens.
#include "common/stage_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace saccade::gst {
namespace {

// Holds callers until it is opened.
class Gate {
 public:
  void open() {
    open_ = true;
    open_.notify_all();
  }
  void pass() {
    ++arrived_;
    arrived_.notify_all();
    open_.wait(false);
  }
  void wait_for_arrivals(int n) {
    for (int now = arrived_; now < n; now = arrived_) arrived_.wait(now);
  }

 private:
  std::atomic<bool> open_ = false;
  std::atomic<int> arrived_ = 0;
};

// Records, in order, what left a queue of numbers; the worker passes `gate` before each payload.
struct Recorder {
  Gate gate;
  std::mutex mutex;
  std::vector<std::string> out;
  std::vector<int> dropped;
  std::vector<DropReason> reasons;

  StageQueue<int>::Callbacks callbacks() {
    StageQueue<int>::Callbacks c;
    c.process = [this](int value, const std::stop_token &) {
      gate.pass();
      const std::lock_guard lock(mutex);
      out.push_back(std::to_string(value));
    };
    c.forward = [this](EventPtr event) {
      const std::lock_guard lock(mutex);
      out.push_back(name_of(event.get()));
    };
    c.dropped = [this](int value, DropReason reason) {
      const std::lock_guard lock(mutex);
      dropped.push_back(value);
      reasons.push_back(reason);
    };
    c.replacement = [](int value) {
      return EventPtr(gst_event_new_gap(static_cast<GstClockTime>(value) * GST_SECOND, GST_SECOND));
    };
    return c;
  }

  static std::string name_of(GstEvent *event) {
    if (GST_EVENT_TYPE(event) != GST_EVENT_GAP) return GST_EVENT_TYPE_NAME(event);
    GstClockTime start = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(event, &start, &duration);
    return "gap " + std::to_string(start / GST_SECOND) + "+" + std::to_string(duration / GST_SECOND);
  }
};

using Strings = std::vector<std::string>;

// Pushes 0 and waits until the worker holds it, so that what follows queues up behind it.
void occupy(StageQueue<int> &queue, Recorder &recorder) {
  ASSERT_EQ(queue.push(0), PushResult::queued);
  recorder.gate.wait_for_arrivals(1);
}

// If this fails, caps reach downstream before or after the pictures that they describe.
TEST(StageQueue, KeepsPayloadsAndEventsInOrder) {
  Recorder r;
  StageQueue<int> queue(r.callbacks());
  queue.configure(8, Leaky::none);
  queue.start();
  r.gate.open();
  queue.push(1);
  queue.push_event(EventPtr(gst_event_new_eos()));
  queue.push(2);
  ASSERT_TRUE(queue.drain());
  EXPECT_EQ(r.out, (Strings{"1", "eos", "2"}));
}

// If this fails, a file run loses pictures and is no longer reproducible.
TEST(StageQueue, WithoutALeakNothingIsLost) {
  Recorder r;
  StageQueue<int> queue(r.callbacks());
  queue.configure(1, Leaky::none);
  queue.start();
  r.gate.open();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(queue.push(i), PushResult::queued);
  ASSERT_TRUE(queue.drain());
  EXPECT_EQ(r.out.size(), 100U);
  EXPECT_TRUE(r.dropped.empty());
}

// If this fails, a live stream is answered about the past, or a drop goes unreported.
TEST(StageQueue, LeakingDownstreamDropsTheOldestAndLeavesAGapInItsPlace) {
  Recorder r;
  StageQueue<int> queue(r.callbacks());
  queue.configure(1, Leaky::downstream);
  queue.start();
  occupy(queue, r);
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(queue.push(i), PushResult::queued);
  EXPECT_EQ(queue.level(), 1U);
  r.gate.open();
  ASSERT_TRUE(queue.drain());
  EXPECT_EQ(r.out, (Strings{"0", "gap 1+3", "4"}));
  EXPECT_EQ(r.dropped, (std::vector{1, 2, 3}));
  EXPECT_EQ(r.reasons, std::vector(3, DropReason::leak));
}

// If this fails, leaky=upstream behaves as leaky=downstream does.
TEST(StageQueue, LeakingUpstreamDropsTheNewest) {
  Recorder r;
  StageQueue<int> queue(r.callbacks());
  queue.configure(1, Leaky::upstream);
  queue.start();
  occupy(queue, r);
  EXPECT_EQ(queue.push(1), PushResult::queued);
  EXPECT_EQ(queue.push(2), PushResult::dropped);
  EXPECT_EQ(queue.push(3), PushResult::dropped);
  r.gate.open();
  ASSERT_TRUE(queue.drain());
  EXPECT_EQ(r.out, (Strings{"0", "1", "gap 2+2"}));
  EXPECT_EQ(r.dropped, (std::vector{2, 3}));
}

// If this fails, an overloaded stream loses its EOS or a caps change.
TEST(StageQueue, TheLeakNeverTakesAnEvent) {
  Recorder r;
  StageQueue<int> queue(r.callbacks());
  queue.configure(1, Leaky::downstream);
  queue.start();
  occupy(queue, r);
  queue.push(1);
  queue.push_event(EventPtr(gst_event_new_flush_stop(FALSE)));
  queue.push(2);
  queue.push_event(EventPtr(gst_event_new_eos()));
  queue.push(3);
  r.gate.open();
  ASSERT_TRUE(queue.drain());
  EXPECT_EQ(r.out, (Strings{"0", "gap 1+1", "flush-stop", "gap 2+1", "eos", "3"}));
}

// If this fails, a seek waits for room that never comes.
TEST(StageQueue, AFlushFreesAPushThatWaitsForRoom) {
  Recorder r;
  auto callbacks = r.callbacks();
  Gate working;
  callbacks.process = [&working](int, const std::stop_token &stop) {
    std::atomic<bool> stopped = false;
    const std::stop_callback on_stop(stop, [&stopped] {
      stopped = true;
      stopped.notify_all();
    });
    working.open();
    stopped.wait(false);
  };
  StageQueue<int> queue(std::move(callbacks));
  queue.configure(1, Leaky::none);
  queue.start();
  queue.push(0);
  working.pass();
  queue.push(1);
  PushResult result = PushResult::queued;
  std::thread pusher([&] { result = queue.push(2); });
  queue.set_flushing(true);
  pusher.join();
  EXPECT_EQ(result, PushResult::refused);
  EXPECT_EQ(r.dropped, std::vector{1});
  EXPECT_EQ(r.reasons, std::vector{DropReason::flush});
  EXPECT_FALSE(queue.push_event(EventPtr(gst_event_new_eos())));
  EXPECT_FALSE(queue.drain());
}

// If this fails, nothing is processed after the first seek.
TEST(StageQueue, WorksAgainAfterAFlushAndAfterARestart) {
  Recorder r;
  r.gate.open();
  StageQueue<int> queue(r.callbacks());
  EXPECT_EQ(queue.push(1), PushResult::refused);
  for (int round = 0; round < 3; ++round) {
    queue.start();
    queue.set_flushing(true);
    queue.set_flushing(false);
    EXPECT_EQ(queue.push(2), PushResult::queued);
    EXPECT_TRUE(queue.drain());
    queue.stop();
    EXPECT_EQ(queue.push(3), PushResult::refused);
  }
  EXPECT_EQ(r.out, (Strings{"2", "2", "2"}));
}

// If this fails, the pipeline cannot be stopped while the queue is full.
TEST(StageQueue, StopCancelsTheWorkAndReportsWhatWaited) {
  Recorder r;
  auto callbacks = r.callbacks();
  Gate working;
  callbacks.process = [&working](int, const std::stop_token &stop) {
    working.open();
    while (!stop.stop_requested()) std::this_thread::yield();
  };
  StageQueue<int> queue(std::move(callbacks));
  queue.configure(2, Leaky::none);
  queue.start();
  queue.push(0);
  working.pass();
  queue.push(1);
  queue.push(2);
  std::thread pusher([&] { EXPECT_EQ(queue.push(3), PushResult::refused); });
  queue.stop();
  pusher.join();
  EXPECT_EQ(r.dropped, (std::vector{1, 2}));
  EXPECT_EQ(r.reasons, std::vector(2, DropReason::stop));
}

// A queue whose worker counts how often it was called at a moment.
struct Timed {
  Recorder recorder;
  std::atomic<int> rung = 0;
  StageQueue<int> queue{callbacks()};

  StageQueue<int>::Callbacks callbacks() {
    auto all = recorder.callbacks();
    all.due = [this] {
      ++rung;
      rung.notify_all();
    };
    all.dropped = [this](int, DropReason) { recorder.gate.open(); };  // a flush has begun by then
    return all;
  }
};

// If this fails, what waits for a moment waits for the next picture.
TEST(StageQueue, CallsAtTheMomentThatWasNamedLast) {
  Timed timed;
  timed.queue.start();
  const auto now = std::chrono::steady_clock::now();
  timed.queue.call_at(now + std::chrono::hours(1));
  timed.queue.call_at(now + std::chrono::milliseconds(1));
  timed.rung.wait(0);
  EXPECT_EQ(timed.rung, 1);
}

// If this fails, an alarm that was taken back rings, or what belongs to the time before a flush is shown
// after it.
TEST(StageQueue, CallsNoMoreWhenNoMomentIsNamedOrAfterAFlush) {
  for (const bool flush : {false, true}) {
    Timed timed;
    timed.queue.start();
    occupy(timed.queue, timed.recorder);  // it cannot ring before it is taken back
    timed.queue.push(1);
    timed.queue.call_at(std::chrono::steady_clock::now());
    if (flush) {
      timed.queue.set_flushing(true);  // drops 1, which opens the gate
      timed.queue.set_flushing(false);
    } else {
      timed.queue.call_at(std::nullopt);
      timed.recorder.gate.open();
    }
    timed.queue.push(2);
    ASSERT_TRUE(timed.queue.drain());
    EXPECT_EQ(timed.rung, 0) << flush;
  }
}

// If this fails, an element that flushes itself from its own thread hangs for ever.
TEST(StageQueue, AFlushFromTheWorkerDoesNotWaitForItself) {
  Recorder r;
  StageQueue<int> *self = nullptr;
  auto callbacks = r.callbacks();
  callbacks.process = [&self](int, const std::stop_token &) {
    self->set_flushing(true);
    self->set_flushing(false);
  };
  StageQueue<int> queue(std::move(callbacks));
  self = &queue;
  queue.start();
  queue.push(1);
  queue.push_event(EventPtr(gst_event_new_eos()));
  queue.drain();
  SUCCEED();
}

// If this fails, many threads pushing, flushing and draining at once lose or double a payload.
TEST(StageQueue, EveryPayloadIsAccountedForUnderPressure) {
  std::atomic<int> processed = 0;
  std::atomic<int> dropped = 0;
  std::atomic<int> refused = 0;
  StageQueue<int>::Callbacks callbacks;
  callbacks.process = [&](int, const std::stop_token &) { ++processed; };
  callbacks.forward = [](const EventPtr &) {};
  callbacks.dropped = [&](int, DropReason) { ++dropped; };
  StageQueue<int> queue(std::move(callbacks));
  queue.configure(2, Leaky::downstream);
  queue.start();
  constexpr int kEach = 2000;
  const auto pusher = [&] {
    for (int i = 0; i < kEach; ++i) {
      if (queue.push(i) == PushResult::refused) ++refused;
      if (i % 100 == 0) queue.push_event(EventPtr(gst_event_new_eos()));
    }
  };
  std::thread first(pusher);
  std::thread second(pusher);
  for (int i = 0; i < 50; ++i) {
    queue.set_flushing(true);
    queue.set_flushing(false);
    queue.configure(static_cast<std::size_t>(1 + i % 3), Leaky::downstream);
  }
  first.join();
  second.join();
  queue.drain();
  queue.stop();
  EXPECT_EQ(processed + dropped + refused, 2 * kEach);
}

}  // namespace
}  // namespace saccade::gst
