// An answer as the demo hears of it: localmllm's message "saccade-answer".
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

namespace saccade::demo {

struct AnswerRecord {
  double stream_time = 0;  // seconds; of the picture that the answer speaks of
  std::string question;
  std::string text;
  std::string source;     // edge, edge-draft, cloud, cloud-verified
  double confidence = 0;  // [0, 1]
  double capture_to_answer_ms = 0;
  double encode_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  int tokens_seen = 0;
  int tokens_kept = 0;
  bool truncated = false;
};

// Empty when the message is another one.
std::optional<AnswerRecord> answer_of(GstMessage *message);
// Of the structure that localmllm's signal "answer" brings; null when it has none.
const char *question_of(const GstStructure *answer);

}  // namespace saccade::demo
