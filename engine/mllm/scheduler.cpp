#include "mllm/scheduler.h"

#include <map>
#include <string>
#include <utility>

namespace saccade {

struct Scheduler::Asked : Job {
  bool listening = false;
  // Under the scheduler's mutex:
  std::condition_variable changed;
  std::string fresh;  // text that the asker has not heard yet
  bool done = false;
};

Result<std::unique_ptr<Scheduler::Seat>> Scheduler::join(std::shared_ptr<ModelPair> pair,
                                                         const KvSetup &setup, int max_cells, int guesses) {
  static std::mutex mutex;
  static std::multimap<std::pair<const ModelPair *, KvSetup>, std::weak_ptr<Scheduler>> running;
  const std::lock_guard lock(mutex);
  std::erase_if(running, [](const auto &one) { return one.second.expired(); });
  const auto key = std::pair<const ModelPair *, KvSetup>(pair.get(), setup);
  std::shared_ptr<Scheduler> scheduler;  // the emptiest
  for (auto [known, end] = running.equal_range(key); known != end; ++known)
    if (auto one = known->second.lock(); one && (!scheduler || one->seats() < scheduler->seats()))
      scheduler = std::move(one);
  const auto most = static_cast<std::size_t>(pair->side_by_side());
  if (!scheduler || (scheduler->seats() > 0 && running.count(key) < most)) {
    auto pool =
        KvPool::create(std::move(pair), setup,
                       {.lanes = 1, .cells = max_cells, .outputs_per_lane = guesses + 1, .picture = 0});
    if (!pool.ok()) return pool.status();
    scheduler = std::shared_ptr<Scheduler>(new Scheduler(std::move(pool).value()));
    running.emplace(key, scheduler);
  }
  const auto id = scheduler->add_seat(max_cells, guesses);
  return std::unique_ptr<Seat>(new Seat(std::move(scheduler), id));
}

Scheduler::Scheduler(std::unique_ptr<KvPool> pool)
    : batcher_(std::move(pool), {.grew =
                                     [this](Job &job) {
                                       auto &asked = static_cast<Asked &>(job);
                                       if (!asked.listening) return;
                                       const std::lock_guard lock(mutex_);
                                       asked.fresh += job.request->generation->take_fresh();
                                       asked.changed.notify_one();
                                     },
                                 .done =
                                     [this](Job &job) {
                                       auto &asked = static_cast<Asked &>(job);
                                       const std::lock_guard lock(mutex_);
                                       asked.fresh += job.request->generation->take_fresh();
                                       asked.done = true;
                                       // Under the lock: the asker takes the job away as soon as it can.
                                       asked.changed.notify_one();
                                     }}),
      worker_([this](std::stop_token stop) { work(std::move(stop)); }) {}

Scheduler::~Scheduler() {
  worker_.request_stop();
  worker_.join();
}

std::uint64_t Scheduler::add_seat(int max_cells, int guesses) {
  const std::lock_guard lock(mutex_);
  ++seats_;
  joined_.push_back({++last_id_, max_cells, guesses});
  return last_id_;
}

std::size_t Scheduler::seats() {
  const std::lock_guard lock(mutex_);
  return seats_;
}

void Scheduler::leave(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  --seats_;
  left_.push_back(id);
  news_.notify_one();
}

RequestReport Scheduler::Seat::run(const Request &request,
                                   const std::function<void(std::string_view)> &listener) {
  return scheduler_->run(id_, request, listener);
}

RequestReport Scheduler::run(std::uint64_t seat, const Request &request,
                             const std::function<void(std::string_view)> &listener) {
  Asked asked;
  asked.request = &request;
  asked.seat = seat;
  asked.listening = static_cast<bool>(listener);
  std::unique_lock lock(mutex_);
  asked_.push_back(&asked);
  news_.notify_one();
  for (;;) {
    asked.changed.wait(lock, [&] { return asked.done || !asked.fresh.empty(); });
    const auto fresh = std::exchange(asked.fresh, {});
    const bool done = asked.done;
    if (listener && !fresh.empty()) {
      lock.unlock();
      listener(fresh);
      lock.lock();
    }
    if (done) return asked.report;
  }
}

void Scheduler::work(std::stop_token stop) {
  while (take_news(stop)) batcher_.step();
}

// Waits for something to do; false when it is over.
bool Scheduler::take_news(std::stop_token stop) {
  std::vector<Joined> joined;
  std::vector<Job *> asked;
  std::vector<std::uint64_t> left;
  {
    std::unique_lock lock(mutex_);
    news_.wait(lock, stop, [this] { return !asked_.empty() || !left_.empty() || !batcher_.idle(); });
    if (stop.stop_requested()) return false;
    joined.swap(joined_);
    asked.swap(asked_);
    left.swap(left_);
  }
  for (const auto &one : joined) batcher_.add_seat(one.id, one.max_cells, one.guesses);
  for (const auto id : left) batcher_.remove_seat(id);
  for (auto *job : asked) batcher_.submit(*job);
  return true;
}

}  // namespace saccade
