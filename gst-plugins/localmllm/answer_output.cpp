#include "localmllm/answer_output.h"

#include <memory>

#include "common/metas.h"
#include "common/pointers.h"
#include "common/structure_json.h"

namespace saccade::gst {
namespace {

guint64 nanoseconds(StreamTime t) { return t.count() > 0 ? static_cast<guint64>(t.count()) : 0; }

struct StructureFree {
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};

}  // namespace

std::string valid_utf8(const std::string &text) {
  const TextPtr valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  return valid.get();
}

GstStructure *answer_structure(const Answer &answer) {
  const auto &timings = answer.timings;
  GstStructure *structure =
      gst_structure_new("saccade-answer",                                                                   //
                        "stream", G_TYPE_STRING, answer.stream.c_str(),                                     //
                        "id", G_TYPE_UINT64, static_cast<guint64>(answer.id),                               //
                        "question", G_TYPE_STRING, answer.question.c_str(),                                 //
                        "text", G_TYPE_STRING, valid_utf8(answer.text).c_str(),                             //
                        "confidence", G_TYPE_DOUBLE, static_cast<double>(answer.confidence),                //
                        "source", G_TYPE_STRING, to_string(answer.source),                                  //
                        "start", G_TYPE_UINT64, nanoseconds(answer.about.start),                            //
                        "end", G_TYPE_UINT64, nanoseconds(answer.about.end),                                //
                        "queued-ms", G_TYPE_DOUBLE, to_milliseconds(timings.queued),                        //
                        "encode-ms", G_TYPE_DOUBLE, to_milliseconds(timings.encode),                        //
                        "prefill-ms", G_TYPE_DOUBLE, to_milliseconds(timings.prefill),                      //
                        "decode-ms", G_TYPE_DOUBLE, to_milliseconds(timings.decode),                        //
                        "capture-to-answer-ms", G_TYPE_DOUBLE, to_milliseconds(timings.capture_to_answer),  //
                        "tokens-seen", G_TYPE_INT, answer.visual_tokens_seen,                               //
                        "tokens-kept", G_TYPE_INT, answer.visual_tokens_kept,                               //
                        "tokens-generated", G_TYPE_INT,                                                     //
                        static_cast<int>(answer.token_log_probabilities.size()),                            //
                        "truncated", G_TYPE_BOOLEAN, static_cast<gboolean>(answer.truncated), nullptr);
  gst_structure_set(structure, "prompt-tokens", G_TYPE_INT, answer.prompt_tokens,  //
                    "prompt-tokens-read", G_TYPE_INT, answer.prompt_tokens_read,   //
                    "tokens-guessed", G_TYPE_INT, answer.tokens_guessed,           //
                    "tokens-guessed-right", G_TYPE_INT, answer.tokens_guessed_right, nullptr);
  if (answer.partial) gst_structure_set(structure, "partial", G_TYPE_BOOLEAN, TRUE, nullptr);
  if (answer.unsure_of)
    gst_structure_set(structure, "unsure-of", G_TYPE_STRING, valid_utf8(*answer.unsure_of).c_str(), nullptr);
  if (answer.supersedes)
    gst_structure_set(structure, "supersedes", G_TYPE_UINT64, static_cast<guint64>(*answer.supersedes),
                      nullptr);
  return structure;
}

GstBuffer *answer_buffer(const Answer &answer, AnswerFormat format) {
  register_metas();
  const std::unique_ptr<GstStructure, StructureFree> structure(answer_structure(answer));
  const std::string bytes = format == AnswerFormat::json ? json_of(structure.get()) : valid_utf8(answer.text);
  // A model may end at once; GStreamer wraps no memory of no bytes.
  GstBuffer *buffer = bytes.empty() ? gst_buffer_new() : gst_buffer_new_memdup(bytes.data(), bytes.size());
  if (GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, kAnswerMetaName)) {
    gst_structure_foreach(
        structure.get(),
        [](GQuark field, const GValue *value, gpointer user) -> gboolean {
          gst_structure_id_set_value(static_cast<GstStructure *>(user), field, value);
          return TRUE;
        },
        gst_custom_meta_get_structure(meta));
  }
  return buffer;
}

}  // namespace saccade::gst
