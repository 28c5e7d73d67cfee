// Time in the engine is stream time in nanoseconds, as GStreamer's running time is.
#pragma once

#include <chrono>

namespace saccade {

using Duration = std::chrono::nanoseconds;
using StreamTime = std::chrono::nanoseconds;       // since the stream's start; never wall-clock time
using Clock = std::chrono::steady_clock;           // for measuring how long our own work took
using WallTime = std::chrono::sys_time<Duration>;  // of day, for people and files; it may jump

// The half-open interval [start, end) of a stream that an answer speaks of.
struct StreamInterval {
  StreamTime start{};
  StreamTime end{};
};

constexpr double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
constexpr double to_milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }
constexpr Duration from_seconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace saccade
