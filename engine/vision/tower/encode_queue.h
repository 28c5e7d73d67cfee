// One queue in front of one tower: pictures of many cameras, taken together where that saves time.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vision/tower/tower.h"

namespace saccade::tower {

// Thread-safe. Owns the tower and the thread that calls it.
class EncodeQueue {
 public:
  EncodeQueue(std::shared_ptr<const TowerWeights> weights, int threads);

  const TowerWeights &weights() const { return tower_.weights(); }
  std::string kernels() const { return tower_.kernels(); }

  // As Tower::encode; waits for its turn, and until `done` is fulfilled. Pictures that came in the meantime
  // are encoded together as long as they are no more than one whole picture's patches: beyond that nothing is
  // saved, and the first would wait for the last.
  Status encode(EncodeJob &job);

 private:
  void work(const std::stop_token &stop);
  std::vector<EncodeJob *> take();

  Tower tower_;
  std::mutex mutex_;  // guards waiting_
  std::deque<EncodeJob *> waiting_;
  std::condition_variable_any came_;
  std::condition_variable_any taken_;
  std::jthread worker_;  // last: it uses the others
};

}  // namespace saccade::tower
