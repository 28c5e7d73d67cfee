// A JSON Schema as it was written, and questions about it. Internal to mllm.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/glib_pointer.h"
#include "base/status.h"

namespace saccade {

// --- Members of a schema; each is null or empty where there is none of that type

JsonNode *member(JsonNode *node, const char *name);
JsonObject *object_of(JsonNode *node);
JsonArray *array_of(JsonNode *node);
const char *string_of(JsonNode *node);
std::optional<double> number_of(JsonNode *node);
std::optional<bool> boolean_of(JsonNode *node);
std::vector<JsonNode *> elements_of(JsonNode *node);
std::vector<std::string> strings_of(JsonNode *node);
std::vector<std::string> names_in(JsonNode *node);  // of an object's members, in the order of the file

// A value as compact JSON; equal values have equal texts. Nothing for a number that is too large to be one.
std::optional<std::string> json_text(JsonNode *value);
std::string json_quoted(const std::string &text);

// --- Kinds of values, as bits

using Kinds = unsigned;
constexpr Kinds kNull = 1, kBoolean = 2, kInteger = 4, kFraction = 8, kString = 16, kArray = 32, kObject = 64;
constexpr Kinds kAllKinds = 127;

// What a "type" of that name takes; 0 for an unknown name.
Kinds kinds_of_type(std::string_view name);
Kinds kind_of_value(JsonNode *value);

class SchemaDocument {
 public:
  // Errors: corrupt (no JSON that could be a schema), exhausted (too large).
  static Result<SchemaDocument> parse(std::string_view text);

  JsonNode *root() const { return json_parser_get_root(parser_.get()); }

  // What a "$ref" leads to: "#", or a member of the root's "$defs" or "definitions"; null for all else.
  JsonNode *target(const std::string &reference) const;
  // Whether the schema there leads to itself again.
  bool is_recursive(const std::string &reference) const;

  // False when a value might satisfy both schemas; true only when that is impossible.
  bool exclude_each_other(JsonNode *one, JsonNode *other) const;

 private:
  explicit SchemaDocument(ObjectPointer<JsonParser> parser);

  JsonNode *behind_references(JsonNode *schema) const;
  Kinds kinds_of(JsonNode *schema, std::set<JsonNode *> &seen) const;
  Kinds kinds_of(JsonNode *schema) const;
  std::optional<std::set<std::string>> values_of(JsonNode *schema) const;
  bool told_apart_by_a_property(JsonNode *one, JsonNode *other) const;

  ObjectPointer<JsonParser> parser_;
  std::map<std::string, std::set<std::string>> references_;  // by target: all in it
};

}  // namespace saccade
