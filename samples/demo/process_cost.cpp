#include "process_cost.h"

#include <sys/resource.h>

namespace saccade::demo {
namespace {

Duration duration_of(const timeval &time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

rusage usage() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used;
}

}  // namespace

Duration cpu_time() {
  const auto used = usage();
  return duration_of(used.ru_utime) + duration_of(used.ru_stime);
}

std::uint64_t peak_memory() { return static_cast<std::uint64_t>(usage().ru_maxrss) * 1024; }

}  // namespace saccade::demo
