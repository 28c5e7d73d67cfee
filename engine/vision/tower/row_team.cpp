#include "vision/tower/row_team.h"

#include "vision/tower/matrix_product.h"

namespace saccade::tower {

RowTeam::RowTeam(int size) {
  for (int member = 1; member < size; ++member) {
    helpers_.emplace_back([this, member](std::stop_token stop) { help(stop, member); });
  }
}

bool RowTeam::take(int &block) {
  if (next_ >= blocks_) return false;
  block = next_++;
  return true;
}

void RowTeam::share(int blocks, const std::function<void(int, int)> &work) {
  const OneThread one;
  if (helpers_.empty() || blocks < 2) {
    for (int block = 0; block < blocks; ++block) work(block, 0);
    return;
  }
  std::unique_lock lock(mutex_);
  work_ = &work;
  blocks_ = blocks;
  next_ = finished_ = 0;
  more_.notify_all();
  for (int block; take(block);) {
    lock.unlock();
    work(block, 0);
    lock.lock();
    ++finished_;
  }
  done_.wait(lock, [this] { return finished_ == blocks_; });
}

void RowTeam::help(std::stop_token stop, int member) {
  const OneThread one;
  std::unique_lock lock(mutex_);
  while (more_.wait(lock, stop, [this] { return next_ < blocks_; })) {
    int block = 0;
    if (!take(block)) continue;
    lock.unlock();
    (*work_)(block, member);
    lock.lock();
    if (++finished_ == blocks_) done_.notify_one();
  }
}

}  // namespace saccade::tower
