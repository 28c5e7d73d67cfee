// The thread that all sessions of a process with the same model share: it reads and writes for several of
// them at once. Internal to mllm.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "base/status.h"
#include "mllm/batcher.h"
#include "mllm/kv_pool.h"
#include "vision/model_pair.h"

namespace saccade {

// Thread-safe. Lives as long as one of its seats. Where a model's evaluations leave cores idle, several run
// side by side (ModelPair::side_by_side), each with its own cache and sessions.
class Scheduler {
 public:
  // A session's place. What was read for it stays in the cache until the memory is wanted.
  class Seat {
   public:
    ~Seat() { scheduler_->leave(id_); }
    Seat(const Seat &) = delete;
    Seat &operator=(const Seat &) = delete;

    // Blocks until the answer is complete, failed or stopped; one request of a seat at a time. The listener
    // is called on this thread with each new piece of text, while the answer goes on.
    RequestReport run(const Request &request, const std::function<void(std::string_view)> &listener);

   private:
    friend class Scheduler;
    Seat(std::shared_ptr<Scheduler> scheduler, std::uint64_t id)
        : scheduler_(std::move(scheduler)), id_(id) {}
    std::shared_ptr<Scheduler> scheduler_;
    std::uint64_t id_;
  };

  // With one of the schedulers that run for this pair and setup, the one with the fewest seats, or with a new
  // one. max_cells: tokens that
  // the seat may hold. The cache starts as large as one seat wants it, grows when several hold more than
  // that, and never beyond what all of them may hold. guesses: tokens of an answer that may be checked at
  // once, 0 = none. Errors: unavailable (memory), unsupported (the type does not suit the
  // model), invalid_argument (attention of a quantised cache).
  static Result<std::unique_ptr<Seat>> join(std::shared_ptr<ModelPair> pair, const KvSetup &setup,
                                            int max_cells, int guesses);

  ~Scheduler();
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

 private:
  struct Joined {
    std::uint64_t id;
    int max_cells;
    int guesses;
  };
  struct Asked;  // a job, and what its asker waits for

  explicit Scheduler(std::unique_ptr<KvPool> pool);
  std::uint64_t add_seat(int max_cells, int guesses);
  std::size_t seats();
  void leave(std::uint64_t id);
  RequestReport run(std::uint64_t seat, const Request &request,
                    const std::function<void(std::string_view)> &listener);
  void work(std::stop_token stop);
  bool take_news(std::stop_token stop);

  Batcher batcher_;  // the worker's

  std::mutex mutex_;  // all below
  std::condition_variable_any news_;
  std::size_t seats_ = 0;
  std::vector<Joined> joined_;
  std::vector<Job *> asked_;
  std::vector<std::uint64_t> left_;
  std::uint64_t last_id_ = 0;

  std::jthread worker_;  // last: it uses all above
};

}  // namespace saccade
