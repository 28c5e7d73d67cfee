#include "localmllm/run_counters.h"

namespace saccade::gst {

void RunCounters::count(const Answer &answer) {
  ++answers;
  tokens_seen += static_cast<std::uint64_t>(answer.visual_tokens_seen);
  tokens_kept += static_cast<std::uint64_t>(answer.visual_tokens_kept);
  capture_to_answer.add(answer.timings.capture_to_answer);
}

GstStructure *RunCounters::to_structure(std::size_t queue_level, std::size_t questions_waiting) const {
  const auto p50 = to_milliseconds(capture_to_answer.quantile(0.50));
  const auto p95 = to_milliseconds(capture_to_answer.quantile(0.95));
  const auto u64 = [](std::uint64_t v) { return static_cast<guint64>(v); };
  return gst_structure_new("localmllm-statistics",                                                   //
                           "frames", G_TYPE_UINT64, u64(frames),                                     //
                           "taken", G_TYPE_UINT64, u64(taken),                                       //
                           "unchanged", G_TYPE_UINT64, u64(unchanged),                               //
                           "dropped", G_TYPE_UINT64, u64(dropped),                                   //
                           "answers", G_TYPE_UINT64, u64(answers),                                   //
                           "failed", G_TYPE_UINT64, u64(failed),                                     //
                           "offloaded", G_TYPE_UINT64, u64(offloaded),                               //
                           "corrected", G_TYPE_UINT64, u64(corrected),                               //
                           "questions-waiting", G_TYPE_UINT, static_cast<guint>(questions_waiting),  //
                           "queue-level", G_TYPE_UINT, static_cast<guint>(queue_level),              //
                           "tokens-seen", G_TYPE_UINT64, u64(tokens_seen),                           //
                           "tokens-kept", G_TYPE_UINT64, u64(tokens_kept),                           //
                           "latency-p50-ms", G_TYPE_DOUBLE, p50,                                     //
                           "latency-p95-ms", G_TYPE_DOUBLE, p95, nullptr);
}

}  // namespace saccade::gst
