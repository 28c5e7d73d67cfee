// What other threads want done on the thread of a GLib main context; for the rooms that are linked with GLib.
#pragma once

#include <glib.h>

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace saccade {

// Thread-safe but for run().
class Inbox {
 public:
  using Task = std::function<void()>;

  explicit Inbox(GMainContext *context) : context_(context) {}

  // From any thread; wakes the context.
  void post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    g_main_context_wakeup(context_);
  }

  // On the context's thread, between its iterations: in the order in which they were posted.
  void run() {
    std::vector<Task> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto &task : tasks) task();
  }

 private:
  GMainContext *context_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace saccade
