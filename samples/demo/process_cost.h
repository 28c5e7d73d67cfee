// What this process has cost so far.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace saccade::demo {

Duration cpu_time();          // of all threads, user and system
std::uint64_t peak_memory();  // bytes, the highest resident size so far

}  // namespace saccade::demo
