// What a process took: time and memory.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace saccade {

inline double milliseconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

// Of this process, in bytes; 0 where /proc is missing.
inline double resident_bytes() {
  long all = 0;
  long resident = 0;
  auto *file = std::fopen("/proc/self/statm", "r");
  if (!file) return 0;
  const int found = std::fscanf(file, "%ld %ld", &all, &resident);
  std::fclose(file);
  return found == 2 ? static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace saccade
