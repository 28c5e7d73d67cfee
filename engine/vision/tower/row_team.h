// Threads that share out blocks of rows among themselves, and sleep in between.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace saccade::tower {

// The caller is one of the team. One caller at a time.
class RowTeam {
 public:
  explicit RowTeam(int size);  // at least 1, the caller included

  int size() const { return static_cast<int>(helpers_.size()) + 1; }

  // Calls work(block, member) once for each block from 0 to blocks - 1, in any order and on any member (from
  // 0, the caller, to size() - 1), and returns when all are done. `work` must not throw.
  void share(int blocks, const std::function<void(int block, int member)> &work);

 private:
  void help(std::stop_token stop, int member);
  bool take(int &block);

  std::mutex mutex_;
  std::condition_variable_any more_;
  std::condition_variable done_;
  const std::function<void(int, int)> *work_ = nullptr;
  int blocks_ = 0;
  int next_ = 0;
  int finished_ = 0;
  std::vector<std::jthread> helpers_;
};

}  // namespace saccade::tower
