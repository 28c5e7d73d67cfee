#include "localmllm/answer_output.h"

#include <json-glib/json-glib.h>

#include <memory>

#include "common/metas.h"
#include "common/pointers.h"

namespace saccade::gst {
namespace {

guint64 nanoseconds(StreamTime t) { return t.count() > 0 ? static_cast<guint64>(t.count()) : 0; }

void add_member(JsonBuilder *builder, const char *name, const GValue *value) {
  json_builder_set_member_name(builder, name);
  if (G_VALUE_HOLDS_STRING(value)) {
    json_builder_add_string_value(builder, g_value_get_string(value));
  } else if (G_VALUE_HOLDS_DOUBLE(value)) {
    json_builder_add_double_value(builder, g_value_get_double(value));
  } else if (G_VALUE_HOLDS_BOOLEAN(value)) {
    json_builder_add_boolean_value(builder, g_value_get_boolean(value));
  } else if (G_VALUE_HOLDS_INT(value)) {
    json_builder_add_int_value(builder, g_value_get_int(value));
  } else if (G_VALUE_HOLDS_UINT64(value)) {
    json_builder_add_int_value(builder, static_cast<gint64>(g_value_get_uint64(value)));
  }
}

struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
struct NodeFree {
  void operator()(JsonNode *node) const { json_node_unref(node); }
};
struct StructureFree {
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};

// One object on one line, so that a file of them is JSON lines.
std::string json_of(const GstStructure *structure) {
  const std::unique_ptr<JsonBuilder, Unref> builder(json_builder_new());
  json_builder_begin_object(builder.get());
  gst_structure_foreach(
      structure,
      [](GQuark field, const GValue *value, gpointer user) -> gboolean {
        add_member(static_cast<JsonBuilder *>(user), g_quark_to_string(field), value);
        return TRUE;
      },
      builder.get());
  json_builder_end_object(builder.get());
  const std::unique_ptr<JsonNode, NodeFree> root(json_builder_get_root(builder.get()));
  const TextPtr text(json_to_string(root.get(), FALSE));
  return std::string(text.get()) + "\n";
}

}  // namespace

std::string valid_utf8(const std::string &text) {
  const TextPtr valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  return valid.get();
}

GstStructure *answer_structure(const Answer &answer) {
  const auto &timings = answer.timings;
  GstStructure *structure =
      gst_structure_new("saccade-answer",                                                                   //
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
                        "truncated", G_TYPE_BOOLEAN, static_cast<gboolean>(answer.truncated), nullptr);
  if (answer.supersedes)
    gst_structure_set(structure, "supersedes", G_TYPE_UINT64, static_cast<guint64>(*answer.supersedes),
                      nullptr);
  return structure;
}

GstBuffer *answer_buffer(const Answer &answer, AnswerFormat format) {
  register_metas();
  const std::unique_ptr<GstStructure, StructureFree> structure(answer_structure(answer));
  const std::string bytes = format == AnswerFormat::json ? json_of(structure.get()) : valid_utf8(answer.text);
  GstBuffer *buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
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
