#include "vision/tower/encode_queue.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace saccade::tower {
namespace {

// Each picture in a pass takes memory for one layer's values; with more pictures little more is saved.
constexpr std::size_t kMostTogether = 16;

}  // namespace

EncodeQueue::EncodeQueue(std::shared_ptr<const TowerWeights> weights, int threads, int most)
    : weights_(std::move(weights)), threads_(threads), most_(static_cast<std::size_t>(std::max(1, most))) {
  towers_.reserve(most_);
  add_tower();
}

void EncodeQueue::add_tower() {
  towers_.push_back(std::make_unique<Tower>(weights_, threads_));
  workers_.emplace_back([this, &tower = *towers_.back()](const std::stop_token &stop) { work(tower, stop); });
}

Status EncodeQueue::encode(EncodeJob &job) {
  auto done = job.done.get_future();
  {
    std::unique_lock lock(mutex_);
    waiting_.push_back(&job);
    if (busy_ == towers_.size() && towers_.size() < most_) add_tower();
    came_.notify_one();
    const auto mine = [&] { return std::ranges::find(waiting_, &job); };
    if (!taken_.wait(lock, job.stop, [&] { return mine() == waiting_.end(); })) {
      waiting_.erase(mine());
      return {StatusKind::cancelled, "encoding was stopped"};
    }
  }
  return done.get();
}

std::vector<EncodeJob *> EncodeQueue::take() {
  std::vector<EncodeJob *> jobs;
  int patches = 0;
  while (!waiting_.empty() && jobs.size() < kMostTogether) {
    patches += towers_.front()->patches_of(*waiting_.front());
    if (!jobs.empty() && patches > weights().shape.patches()) break;
    jobs.push_back(waiting_.front());
    waiting_.pop_front();
  }
  return jobs;
}

void EncodeQueue::work(Tower &tower, const std::stop_token &stop) {
  std::unique_lock lock(mutex_);
  while (came_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const auto jobs = take();
    taken_.notify_all();
    ++busy_;
    lock.unlock();
    tower.encode(jobs);
    lock.lock();
    --busy_;
  }
}

}  // namespace saccade::tower
