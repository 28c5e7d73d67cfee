#include "offload/routing/decision_log.h"

#include <json-glib/json-glib.h>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/glib_pointer.h"
#include "base/json_read.h"
#include "offload/routing/decision_fields.h"

namespace saccade {

namespace {

constexpr int kMaxDepth = 8;  // a line is four deep

// --- Writing ------------------------------------------------------------------------------------------

// Changes nothing of what it visits; the fields are named for reading and writing alike.
class FieldWriter {
 public:
  explicit FieldWriter(JsonBuilder *builder) : builder_(builder) {}

  template <typename T>
  void operator()(const char *name, T &value) {
    json_builder_set_member_name(builder_, name);
    write(value);
  }

  template <typename T>
  void write_object(T &value) {
    json_builder_begin_object(builder_);
    each_field(*this, value);
    json_builder_end_object(builder_);
  }

 private:
  void write(bool &value) { json_builder_add_boolean_value(builder_, value); }
  void write(std::string &value) { json_builder_add_string_value(builder_, value.c_str()); }
  void write(Duration &value) { json_builder_add_int_value(builder_, value.count()); }
  void write(double &value) {
    // To 17 digits, which is exact. json-glib makes "1e+20.0" of 1e20, which is no JSON.
    std::array<char, G_ASCII_DTOSTR_BUF_SIZE> buffer{};
    const std::string_view text(g_ascii_dtostr(buffer.data(), static_cast<int>(buffer.size()), value));
    const bool broken = text.find('e') != text.npos && text.find('.') == text.npos;
    if (std::isfinite(value) && !broken) {
      json_builder_add_double_value(builder_, value);
    } else {
      json_builder_add_string_value(builder_, buffer.data());
    }
  }
  void write(std::optional<double> &value) {
    if (value) {
      write(*value);
    } else {
      json_builder_add_null_value(builder_);
    }
  }
  template <typename T>
  void write(T &value) {
    if constexpr (std::is_enum_v<T>) {
      json_builder_add_string_value(builder_, Names<T>::all[static_cast<std::size_t>(value)]);
    } else if constexpr (std::integral<T>) {
      json_builder_add_int_value(builder_, static_cast<gint64>(value));
    } else {
      write_object(value);
    }
  }

  JsonBuilder *builder_;
};

template <typename T>
std::string line_of(T value) {
  const ObjectPointer<JsonBuilder> builder(json_builder_new());
  FieldWriter writer(builder.get());
  writer.write_object(value);
  JsonNode *root = json_builder_get_root(builder.get());
  const CString text(json_to_string(root, FALSE));
  json_node_unref(root);
  return text.get();
}

// --- Reading ------------------------------------------------------------------------------------------

class FieldReader {
 public:
  explicit FieldReader(JsonObject *object) : object_(object) {}

  template <typename T>
  void operator()(const char *name, T &value) {
    JsonNode *node = json_object_get_member(object_, name);
    if (!(node && read(node, value)) && wrong_.empty()) wrong_ = name;
  }

  // The first member that is missing or wrong; empty when all is well.
  const std::string &wrong() const { return wrong_; }

 private:
  static bool holds(JsonNode *node, GType type) {
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
  }
  static bool read(JsonNode *node, bool &value) {
    if (!holds(node, G_TYPE_BOOLEAN)) return false;
    value = json_node_get_boolean(node) != FALSE;
    return true;
  }
  static bool read(JsonNode *node, std::string &value) {
    if (!holds(node, G_TYPE_STRING)) return false;
    value = json_node_get_string(node);
    return true;
  }
  static bool read(JsonNode *node, Duration &value) {
    if (!holds(node, G_TYPE_INT64)) return false;
    value = Duration(json_node_get_int(node));
    return true;
  }
  static bool read(JsonNode *node, double &value) {
    if (holds(node, G_TYPE_DOUBLE) || holds(node, G_TYPE_INT64)) {
      value = json_node_get_double(node);
      return true;
    }
    std::string text;
    if (!read(node, text)) return false;
    char *end = nullptr;
    value = g_ascii_strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0';
  }
  static bool read(JsonNode *node, std::optional<double> &value) {
    value.reset();
    return JSON_NODE_HOLDS_NULL(node) || read(node, value.emplace());
  }
  template <typename T>
  bool read(JsonNode *node, T &value) {
    if constexpr (std::is_enum_v<T>) {
      return read_name(node, value);
    } else if constexpr (std::integral<T>) {
      if (!holds(node, G_TYPE_INT64) || !std::in_range<T>(json_node_get_int(node))) return false;
      value = static_cast<T>(json_node_get_int(node));
      return true;
    } else {
      if (!JSON_NODE_HOLDS_OBJECT(node)) return false;
      FieldReader inner(json_node_get_object(node));
      each_field(inner, value);
      if (!inner.wrong_.empty() && wrong_.empty()) wrong_ = inner.wrong_;
      return inner.wrong_.empty();
    }
  }
  template <typename T>
  static bool read_name(JsonNode *node, T &value) {
    std::string text;
    if (!read(node, text)) return false;
    for (std::size_t i = 0; i < Names<T>::all.size(); ++i) {
      if (text != Names<T>::all[i]) continue;
      value = static_cast<T>(i);
      return true;
    }
    return false;
  }

  JsonObject *object_;
  std::string wrong_;
};

template <typename T>
Result<T> read_line(std::string_view line) {
  const auto corrupt = [](const std::string &what) {
    return Status(StatusKind::corrupt, "the line is no logged decision: " + what);
  };
  const auto parser = parse_json(line, kMaxDepth);
  if (!parser.ok()) return corrupt(parser.status().message());
  JsonNode *root = json_parser_get_root(parser.value().get());
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) return corrupt("it is no JSON object");
  T value;
  FieldReader reader(json_node_get_object(root));
  each_field(reader, value);
  if (!reader.wrong().empty())
    return corrupt("its member \"" + reader.wrong() + "\" is missing, or not what it should be");
  return value;
}

}  // namespace

template <typename Visit>
void each_field(Visit &visit, RouteRecord &it) {
  visit("settings", it.settings);
  visit("decision", it.decision);
}

std::string to_json_line(const RouteRecord &record) { return line_of(record); }
std::string to_json_line(const RouterInput &input) { return line_of(input); }

Result<RouteRecord> route_record_of(std::string_view line) { return read_line<RouteRecord>(line); }
Result<RouterInput> router_input_of(std::string_view line) { return read_line<RouterInput>(line); }

RouteDecision replayed(const RouteRecord &record) {
  const auto &was = record.decision;
  return route(was.stage, record.settings, was.input, was.state);
}

}  // namespace saccade
