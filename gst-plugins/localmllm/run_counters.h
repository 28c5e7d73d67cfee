// What a run of localmllm has done so far.
#pragma once

#include <gst/gst.h>

#include <cstdint>

#include "base/statistics.h"
#include "mllm/answer.h"

namespace saccade::gst {

// Not thread-safe: guarded by the run's lock.
struct RunCounters {
  std::uint64_t frames = 0;     // that came in
  std::uint64_t taken = 0;      // that the model looked at
  std::uint64_t unchanged = 0;  // that the standing answer serves
  std::uint64_t dropped = 0;    // lost to the leak
  std::uint64_t answers = 0;
  std::uint64_t failed = 0;     // frames and questions without an answer, each reported
  std::uint64_t offloaded = 0;  // segments sent to the cloud
  std::uint64_t corrected = 0;  // answers that the cloud replaced
  std::uint64_t tokens_seen = 0;
  std::uint64_t tokens_kept = 0;
  DurationStatistics capture_to_answer;

  void count(const Answer &answer);

  // The caller owns it.
  GstStructure *to_structure(std::size_t queue_level, std::size_t questions_waiting) const;
};

}  // namespace saccade::gst
