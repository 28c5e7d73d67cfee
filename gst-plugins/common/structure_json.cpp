#include "common/structure_json.h"

#include <json-glib/json-glib.h>

#include <memory>

#include "common/pointers.h"

namespace saccade::gst {
namespace {

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

}  // namespace

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

}  // namespace saccade::gst
