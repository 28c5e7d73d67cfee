// Whether a JSON value satisfies a schema, told apart from how grammars are written for it. Knows the
// keywords that the tests use.
#pragma once

#include <json-glib/json-glib.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace saccade {

// json-glib reads 01, .5 and \q without complaint. This looks at words only; json-glib knows how they go
// together.
inline bool are_json_words(const std::string &text) {
  return g_regex_match_simple(R"(^([][{},: ]|"([^"\\\x01-\x1F]|\\["\\/bfnrt])*+"|)"
                              R"((null|true|false|-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?)(?=[]},]|$))*+$)",
                              text.c_str(), GRegexCompileFlags(0), GRegexMatchFlags(0)) != FALSE;
}

class SchemaCheck {
 public:
  explicit SchemaCheck(JsonNode *root) : root_(root) {}
  bool satisfies(JsonNode *value) const { return satisfies(value, root_); }

 private:
  static JsonNode *member(JsonNode *object, const char *name) {
    return JSON_NODE_HOLDS_OBJECT(object) ? json_object_get_member(json_node_get_object(object), name)
                                          : nullptr;
  }
  static double number(JsonNode *schema, const char *name, double otherwise) {
    JsonNode *found = member(schema, name);
    return found ? json_node_get_double(found) : otherwise;
  }
  template <typename Fits>
  static int how_many(JsonNode *array, Fits fits) {
    int count = 0;
    JsonArray *elements = json_node_get_array(array);
    for (guint i = 0; i < json_array_get_length(elements); ++i)
      count += fits(json_array_get_element(elements, i));
    return count;
  }

  static bool is_number(JsonNode *value) {
    return JSON_NODE_HOLDS_VALUE(value) && (json_node_get_value_type(value) == G_TYPE_INT64 ||
                                            json_node_get_value_type(value) == G_TYPE_DOUBLE);
  }
  static bool is_a(JsonNode *value, const std::string &type) {
    if (type == "object") return JSON_NODE_HOLDS_OBJECT(value);
    if (type == "array") return JSON_NODE_HOLDS_ARRAY(value);
    if (type == "null") return JSON_NODE_HOLDS_NULL(value);
    if (type == "number") return is_number(value);
    if (!JSON_NODE_HOLDS_VALUE(value)) return false;
    const GType held = json_node_get_value_type(value);
    if (type == "integer") return held == G_TYPE_INT64;
    return held == (type == "string" ? G_TYPE_STRING : G_TYPE_BOOLEAN);
  }

  bool satisfies(JsonNode *value, JsonNode *schema) const {
    if (!schema) return true;
    if (JSON_NODE_HOLDS_VALUE(schema)) return json_node_get_boolean(schema) != FALSE;
    const auto fits = [&](JsonNode *alternative) { return satisfies(value, alternative); };
    const auto equals = [&](JsonNode *other) { return json_node_equal(value, other) != FALSE; };
    if (JsonNode *reference = member(schema, "$ref"))
      return satisfies(value, target(json_node_get_string(reference)));
    if (JsonNode *some = member(schema, "anyOf"); some && how_many(some, fits) == 0) return false;
    if (JsonNode *one = member(schema, "oneOf"); one && how_many(one, fits) != 1) return false;
    if (JsonNode *values = member(schema, "enum"); values && how_many(values, equals) == 0) return false;
    if (JsonNode *constant = member(schema, "const"); constant && !equals(constant)) return false;
    return has_its_type(value, schema) && is_within(value, schema);
  }

  JsonNode *target(const std::string &reference) const {
    JsonNode *found = root_;
    if (reference != "#")
      for (std::size_t from = 2, to = 0; to != std::string::npos; from = to + 1) {
        to = reference.find('/', from);
        found = member(found, reference.substr(from, to - from).c_str());
      }
    return found;
  }

  static bool has_its_type(JsonNode *value, JsonNode *schema) {
    JsonNode *type = member(schema, "type");
    if (!type) return true;
    if (JSON_NODE_HOLDS_VALUE(type)) return is_a(value, json_node_get_string(type));
    return how_many(type, [&](JsonNode *name) { return is_a(value, json_node_get_string(name)); }) > 0;
  }

  bool is_within(JsonNode *value, JsonNode *schema) const {
    if (is_number(value)) {
      const double v = json_node_get_double(value);
      return v >= number(schema, "minimum", v) && v <= number(schema, "maximum", v) &&
             v > number(schema, "exclusiveMinimum", -HUGE_VAL) &&
             v < number(schema, "exclusiveMaximum", HUGE_VAL);
    }
    if (is_a(value, "string")) {
      const auto length = static_cast<double>(g_utf8_strlen(json_node_get_string(value), -1));
      const double least = number(schema, "minLength", 0);
      return length >= least && length <= number(schema, "maxLength", std::max(least, 200.0));
    }
    if (JSON_NODE_HOLDS_ARRAY(value)) {
      const int count = how_many(value, [](JsonNode *) { return 1; });
      return count >= number(schema, "minItems", 0) && count <= number(schema, "maxItems", 64) &&
             how_many(value, [&](JsonNode *item) { return satisfies(item, member(schema, "items")); }) ==
                 count;
    }
    return !JSON_NODE_HOLDS_OBJECT(value) || has_its_properties(value, schema);
  }

  bool has_its_properties(JsonNode *value, JsonNode *schema) const {
    JsonNode *properties = member(schema, "properties");
    JsonNode *required = member(schema, "required");
    const auto is_missing = [&](JsonNode *name) { return !member(value, json_node_get_string(name)); };
    if (required && how_many(required, is_missing) > 0) return false;
    JsonObjectIter walk;
    const char *name = nullptr;
    JsonNode *inner = nullptr;
    json_object_iter_init(&walk, json_node_get_object(value));
    while (json_object_iter_next(&walk, &name, &inner))
      if (properties && (!member(properties, name) || !satisfies(inner, member(properties, name))))
        return false;
    return true;
  }

  JsonNode *root_;
};

}  // namespace saccade
