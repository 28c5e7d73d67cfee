#include "mllm/json_schema_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/json_guard.h"

namespace saccade {
namespace {

constexpr std::size_t kMaxBytes = 64UL * 1024;
constexpr int kMaxDepth = 64;        // brackets; a property of a property is 2 deeper
constexpr int kMaxReferences = 16;   // "$ref" behind "$ref", when two schemas are compared
constexpr std::size_t kDigits = 18;  // of a number: json-glib reads 99999999999999999999 as -1

bool is_value_of(JsonNode *node, GType type) {
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

// The position behind a string's closing quote; the text is known to have it.
std::size_t behind_string(std::string_view text, std::size_t at) {
  for (; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

// What json-glib would read as something else than it says.
Status check_what_json_glib_misreads(std::string_view text) {
  if (text.find("\\u0000") != std::string_view::npos)
    return {StatusKind::corrupt, "it holds \\u0000, which no text here can hold"};
  std::size_t digits = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '"') at = behind_string(text, at);
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kDigits)
      return {StatusKind::corrupt, "it holds a number of more than " + std::to_string(kDigits) + " digits"};
  }
  return {};
}

std::optional<std::string> number_text(double number) {
  if (!std::isfinite(number)) return std::nullopt;
  if (number == std::floor(number) && std::abs(number) < 1e18)
    return std::to_string(static_cast<std::int64_t>(number));
  std::array<char, 32> text;
  // The shortest text that is read as the same number.
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return std::string(text.data(), end);
}

void collect_references(JsonNode *node, std::set<std::string> &found) {
  if (const char *reference = string_of(member(node, "$ref"))) found.insert(reference);
  for (auto *element : elements_of(node)) collect_references(element, found);
  for (const auto &name : names_in(node)) collect_references(member(node, name.c_str()), found);
}

constexpr const char *kGroups[] = {"$defs", "definitions"};

bool disjoint(const std::set<std::string> &one, const std::set<std::string> &other) {
  return std::ranges::none_of(one, [&](const std::string &value) { return other.contains(value); });
}

}  // namespace

JsonNode *member(JsonNode *node, const char *name) {
  auto *object = object_of(node);
  return object ? json_object_get_member(object, name) : nullptr;
}

JsonObject *object_of(JsonNode *node) {
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : nullptr;
}

JsonArray *array_of(JsonNode *node) {
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : nullptr;
}

const char *string_of(JsonNode *node) {
  return is_value_of(node, G_TYPE_STRING) ? json_node_get_string(node) : nullptr;
}

std::optional<double> number_of(JsonNode *node) {
  if (!is_value_of(node, G_TYPE_DOUBLE) && !is_value_of(node, G_TYPE_INT64)) return std::nullopt;
  return json_node_get_double(node);
}

std::optional<bool> boolean_of(JsonNode *node) {
  if (!is_value_of(node, G_TYPE_BOOLEAN)) return std::nullopt;
  return json_node_get_boolean(node) != FALSE;
}

std::vector<JsonNode *> elements_of(JsonNode *node) {
  std::vector<JsonNode *> elements;
  auto *array = array_of(node);
  const guint count = array ? json_array_get_length(array) : 0;
  for (guint i = 0; i < count; ++i) elements.push_back(json_array_get_element(array, i));
  return elements;
}

std::vector<std::string> strings_of(JsonNode *node) {
  std::vector<std::string> strings;
  for (auto *element : elements_of(node))
    if (const char *text = string_of(element)) strings.emplace_back(text);
  return strings;
}

std::vector<std::string> names_in(JsonNode *node) {
  std::vector<std::string> names;
  auto *object = object_of(node);
  if (!object) return names;
  JsonObjectIter walk;
  const char *name = nullptr;
  json_object_iter_init_ordered(&walk, object);
  while (json_object_iter_next_ordered(&walk, &name, nullptr)) names.emplace_back(name);
  return names;
}

std::string json_quoted(const std::string &text) {
  JsonNode *node = json_node_init_string(json_node_alloc(), text.c_str());
  const CString quoted(json_to_string(node, FALSE));
  json_node_unref(node);
  return quoted.get();
}

std::optional<std::string> json_text(JsonNode *value) {
  if (is_value_of(value, G_TYPE_INT64)) return std::to_string(json_node_get_int(value));
  if (const auto number = number_of(value)) return number_text(*number);
  if (const char *text = string_of(value)) return json_quoted(text);
  if (const auto boolean = boolean_of(value)) return *boolean ? "true" : "false";
  if (!object_of(value) && !array_of(value)) return "null";

  auto names = names_in(value);
  std::ranges::sort(names);  // equal objects may list their members in any order
  std::string members;
  const auto add = [&](const std::string &name, JsonNode *inner) {
    const auto text = json_text(inner);
    members += (members.empty() ? "" : ",") + name + text.value_or("");
    return text.has_value();
  };
  for (auto *element : elements_of(value))
    if (!add("", element)) return std::nullopt;
  for (const auto &name : names)
    if (!add(json_quoted(name) + ":", member(value, name.c_str()))) return std::nullopt;
  return array_of(value) ? "[" + members + "]" : "{" + members + "}";
}

Kinds kinds_of_type(std::string_view name) {
  static const std::map<std::string_view, Kinds> kTypes = {
      {"null", kNull},     {"boolean", kBoolean}, {"integer", kInteger}, {"number", kInteger | kFraction},
      {"string", kString}, {"array", kArray},     {"object", kObject}};
  const auto type = kTypes.find(name);
  return type == kTypes.end() ? 0 : type->second;
}

Kinds kind_of_value(JsonNode *value) {
  if (object_of(value)) return kObject;
  if (array_of(value)) return kArray;
  if (string_of(value)) return kString;
  if (boolean_of(value)) return kBoolean;
  if (const auto number = number_of(value)) return *number == std::floor(*number) ? kInteger : kFraction;
  return kNull;
}

SchemaDocument::SchemaDocument(ObjectPointer<JsonParser> parser) : parser_(std::move(parser)) {
  for (const auto &name : names_in(root()))
    if (std::ranges::find(kGroups, name) == std::end(kGroups))
      collect_references(member(root(), name.c_str()), references_["#"]);
  if (const char *reference = string_of(member(root(), "$ref"))) references_["#"].insert(reference);
  for (const std::string group : kGroups)
    for (auto reference : names_in(member(root(), group.c_str()))) {
      reference.insert(0, "#/" + group + "/");
      collect_references(target(reference), references_[reference]);
    }
}

Result<SchemaDocument> SchemaDocument::parse(std::string_view text) {
  if (text.size() > kMaxBytes)
    return Status{StatusKind::exhausted, "it is " + std::to_string(text.size()) + " bytes long; " +
                                             std::to_string(kMaxBytes) + " are the most"};
  if (auto status = check_json_shape(text, kMaxDepth); !status.ok()) return status;
  if (auto status = check_what_json_glib_misreads(text); !status.ok()) return status;
  ObjectPointer<JsonParser> parser(json_parser_new_immutable());
  GError *error = nullptr;
  if (!json_parser_load_from_data(parser.get(), text.data(), static_cast<gssize>(text.size()), &error)) {
    const ErrorPointer owned(error);
    return Status{StatusKind::corrupt, std::string("it is not valid JSON: ") + owned->message};
  }
  if (!json_parser_get_root(parser.get())) return Status{StatusKind::corrupt, "it is empty"};
  return SchemaDocument(std::move(parser));
}

JsonNode *SchemaDocument::target(const std::string &reference) const {
  if (reference == "#") return root();
  for (const std::string group : kGroups)
    if (reference.starts_with("#/" + group + "/"))
      return member(member(root(), group.c_str()), reference.substr(group.size() + 3).c_str());
  return nullptr;
}

bool SchemaDocument::is_recursive(const std::string &reference) const {
  std::set<std::string> reached;
  for (std::vector<std::string> ahead{reference}; !ahead.empty();) {
    const auto from = references_.find(ahead.back());
    ahead.pop_back();
    if (from == references_.end()) continue;
    for (const auto &next : from->second)
      if (reached.insert(next).second) ahead.push_back(next);
  }
  return reached.contains(reference);
}

// --- Schemas that exclude each other

JsonNode *SchemaDocument::behind_references(JsonNode *schema) const {
  for (int i = 0; i < kMaxReferences; ++i) {
    const char *reference = string_of(member(schema, "$ref"));
    if (!reference) return schema;
    schema = target(reference);
  }
  return nullptr;
}

Kinds SchemaDocument::kinds_of(JsonNode *schema, std::set<JsonNode *> &seen) const {
  schema = behind_references(schema);
  if (!object_of(schema)) return kAllKinds;
  if (!seen.insert(schema).second) return 0;  // counted already
  Kinds kinds = 0;
  for (const char *choice : {"anyOf", "oneOf"})
    for (auto *alternative : elements_of(member(schema, choice))) kinds |= kinds_of(alternative, seen);
  for (auto *value : elements_of(member(schema, "enum"))) kinds |= kind_of_value(value);
  if (auto *value = member(schema, "const")) kinds |= kind_of_value(value);
  if (kinds != 0) return kinds;
  auto *type = member(schema, "type");
  if (const char *name = string_of(type)) kinds = kinds_of_type(name);
  for (const auto &name : strings_of(type)) kinds |= kinds_of_type(name);
  return kinds != 0 ? kinds : kAllKinds;
}

Kinds SchemaDocument::kinds_of(JsonNode *schema) const {
  std::set<JsonNode *> seen;
  return kinds_of(schema, seen);
}

// All that an "enum" or "const" lists, when that is what the schema is.
std::optional<std::set<std::string>> SchemaDocument::values_of(JsonNode *schema) const {
  schema = behind_references(schema);
  std::set<std::string> values;
  for (auto *value : elements_of(member(schema, "enum"))) values.insert(json_text(value).value_or(""));
  if (auto *value = member(schema, "const")) values.insert(json_text(value).value_or(""));
  if (values.empty()) return std::nullopt;
  return values;
}

bool SchemaDocument::told_apart_by_a_property(JsonNode *one, JsonNode *other) const {
  one = behind_references(one);
  other = behind_references(other);
  const auto needed = strings_of(member(other, "required"));
  return std::ranges::any_of(strings_of(member(one, "required")), [&](const std::string &name) {
    if (std::ranges::find(needed, name) == needed.end()) return false;
    const auto here = values_of(member(member(one, "properties"), name.c_str()));
    const auto there = values_of(member(member(other, "properties"), name.c_str()));
    return here && there && disjoint(*here, *there);
  });
}

bool SchemaDocument::exclude_each_other(JsonNode *one, JsonNode *other) const {
  if ((kinds_of(one) & kinds_of(other)) == 0) return true;
  const auto here = values_of(one);
  const auto there = values_of(other);
  if (here && there) return disjoint(*here, *there);
  return kinds_of(one) == kObject && kinds_of(other) == kObject && told_apart_by_a_property(one, other);
}

}  // namespace saccade
