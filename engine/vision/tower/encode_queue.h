// One queue in front of a tower, or of several on the same weights: pictures of many cameras, taken together
// where that saves time.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vision/tower/tower.h"

namespace saccade::tower {

// Thread-safe. Owns the towers, and one thread for each that calls it. There is one from the start; others
// are made when a picture comes while all are busy.
class EncodeQueue {
 public:
  // threads: of each tower. most: towers.
  EncodeQueue(std::shared_ptr<const TowerWeights> weights, int threads, int most);

  const TowerWeights &weights() const { return *weights_; }
  std::string kernels() const { return towers_.front()->kernels(); }

  // As Tower::encode; waits for its turn, and until `done` is fulfilled. Pictures that came in the meantime
  // are encoded together as long as they are no more than one whole picture's patches: beyond that nothing is
  // saved, and the first would wait for the last.
  Status encode(EncodeJob &job);

 private:
  void add_tower();
  void work(Tower &tower, const std::stop_token &stop);
  std::vector<EncodeJob *> take();

  std::shared_ptr<const TowerWeights> weights_;
  int threads_;
  std::size_t most_;
  std::mutex mutex_;  // guards what follows
  std::deque<EncodeJob *> waiting_;
  std::vector<std::unique_ptr<Tower>> towers_;  // at most most_; the first is never changed
  std::size_t busy_ = 0;
  std::condition_variable_any came_;
  std::condition_variable_any taken_;
  std::vector<std::jthread> workers_;  // last: they use the others
};

}  // namespace saccade::tower
