#include "answer_record.h"

namespace saccade::demo {
namespace {

std::string text_field(const GstStructure *structure, const char *name) {
  const char *text = gst_structure_get_string(structure, name);
  return text ? text : "";
}

double double_field(const GstStructure *structure, const char *name) {
  double value = 0;
  gst_structure_get_double(structure, name, &value);
  return value;
}

int int_field(const GstStructure *structure, const char *name) {
  int value = 0;
  gst_structure_get_int(structure, name, &value);
  return value;
}

}  // namespace

std::optional<AnswerRecord> answer_of(GstMessage *message) {
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT) return std::nullopt;
  const auto structure = gst_message_get_structure(message);
  if (!structure || !gst_structure_has_name(structure, "saccade-answer")) return std::nullopt;

  guint64 start = 0;
  gboolean truncated = FALSE;
  gst_structure_get_uint64(structure, "start", &start);
  gst_structure_get_boolean(structure, "truncated", &truncated);
  AnswerRecord answer;
  answer.stream_time = static_cast<double>(start) / GST_SECOND;
  answer.question = text_field(structure, "question");
  answer.text = text_field(structure, "text");
  answer.source = text_field(structure, "source");
  answer.confidence = double_field(structure, "confidence");
  answer.capture_to_answer_ms = double_field(structure, "capture-to-answer-ms");
  answer.encode_ms = double_field(structure, "encode-ms");
  answer.prefill_ms = double_field(structure, "prefill-ms");
  answer.decode_ms = double_field(structure, "decode-ms");
  answer.tokens_seen = int_field(structure, "tokens-seen");
  answer.tokens_kept = int_field(structure, "tokens-kept");
  answer.truncated = truncated;
  return answer;
}

const char *question_of(const GstStructure *answer) { return gst_structure_get_string(answer, "question"); }

}  // namespace saccade::demo
