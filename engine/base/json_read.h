// Reading JSON that came from outside, for the rooms that are linked with json-glib; base itself is not.
// Each of these gives nothing when what is asked for is absent or of another type. Pure functions; what they
// point to belongs to the parser.
#pragma once

#include <json-glib/json-glib.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/glib_pointer.h"
#include "base/json_guard.h"
#include "base/status.h"

namespace saccade {

// Errors: corrupt (it is not JSON, or nested deeper than max_depth).
inline Result<ObjectPointer<JsonParser>> parse_json(std::string_view body, int max_depth) {
  if (auto shape = check_json_shape(body, max_depth); !shape.ok()) return shape;
  ObjectPointer<JsonParser> parser(json_parser_new_immutable());
  GError *error = nullptr;
  if (!json_parser_load_from_data(parser.get(), body.data(), static_cast<gssize>(body.size()), &error)) {
    g_error_free(error);
    return Status(StatusKind::corrupt, "it is not valid JSON");
  }
  return parser;
}

inline JsonNode *member(JsonNode *node, const char *name) {
  if (!node || !JSON_NODE_HOLDS_OBJECT(node)) return nullptr;
  return json_object_get_member(json_node_get_object(node), name);
}

inline JsonArray *array_of(JsonNode *node) {
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : nullptr;
}

inline const char *string_of(JsonNode *node) {
  const bool is_string =
      node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
  return is_string ? json_node_get_string(node) : nullptr;
}

inline bool is_number(JsonNode *node) {
  if (!node || !JSON_NODE_HOLDS_VALUE(node)) return false;
  const GType type = json_node_get_value_type(node);
  return type == G_TYPE_DOUBLE || type == G_TYPE_INT64;
}

inline std::optional<bool> bool_of(JsonNode *node) {
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN)
    return std::nullopt;
  return json_node_get_boolean(node) != FALSE;
}

// 3.0 is a whole number, too.
inline std::optional<std::int64_t> whole_number_of(JsonNode *node) {
  if (!is_number(node)) return std::nullopt;
  if (json_node_get_value_type(node) == G_TYPE_INT64) return json_node_get_int(node);
  const double value = json_node_get_double(node);
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!(std::abs(value) <= kExact) || value != std::trunc(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// Null is as good as absent to those who write requests.
inline bool is_absent(JsonNode *node) { return !node || JSON_NODE_HOLDS_NULL(node); }

}  // namespace saccade
