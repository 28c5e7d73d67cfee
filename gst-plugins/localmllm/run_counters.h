// What a run of localmllm has done so far.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "base/statistics.h"
#include "mllm/answer.h"
#include "mllm/segment_answerer.h"

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
  std::uint64_t stale = 0;      // answers given up because the scene had moved on
  std::uint64_t late = 0;    // answers that took longer than the latency that was declared to live pipelines
  std::uint64_t unsure = 0;  // answers in whose place unsure-text was said
  std::uint64_t tokens_seen = 0;
  std::uint64_t tokens_kept = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t prompt_tokens_read = 0;  // those that were not in the KV cache already
  std::uint64_t tokens_generated = 0;
  std::uint64_t tokens_guessed = 0;
  std::uint64_t tokens_guessed_right = 0;
  GivenUp given_up;
  DurationStatistics capture_to_answer;
  DurationStatistics queued;
  DurationStatistics encode;
  DurationStatistics prefill;
  DurationStatistics decode;
  DurationStatistics first_token;  // from the picture's coming, or the asking, to the first word
  DurationStatistics each_token;   // after the first

  void count(const Answer &answer);

  // The caller owns it.
  GstStructure *to_structure(std::size_t queue_level, std::size_t questions_waiting) const;
  // In Prometheus' text format; `stream` names what it is about.
  std::string to_prometheus(const std::string &stream) const;
};

}  // namespace saccade::gst
