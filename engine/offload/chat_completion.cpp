#include "offload/chat_completion.h"

#include <json-glib/json-glib.h>

#include <algorithm>
#include <cmath>

#include "base/glib_pointer.h"
#include "base/json_guard.h"
#include "offload/text.h"

namespace saccade {

namespace {

constexpr int kMaxDepth = 64;                     // a chat completion is about 8 deep
constexpr std::size_t kMaxComplaint = 200;        // bytes of the server's own words in an error sentence
constexpr float kLeastLogProbability = -1000.0F;  // servers write -9999 or -inf for "never"

// --- Building
// -------------------------------------------------------------------------------------------------

std::string data_uri(const JpegBytes &jpeg) {
  const CString encoded(g_base64_encode(jpeg.data(), jpeg.size()));
  return std::string("data:image/jpeg;base64,") + encoded.get();
}

void add_string(JsonBuilder *builder, const char *name, const std::string &value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_string_value(builder, value.c_str());
}

void add_content(JsonBuilder *builder, const ChatQuestion &question) {
  json_builder_set_member_name(builder, "content");
  json_builder_begin_array(builder);
  json_builder_begin_object(builder);
  add_string(builder, "type", "text");
  const CString text(g_utf8_make_valid(question.text.data(), static_cast<gssize>(question.text.size())));
  add_string(builder, "text", text.get());
  json_builder_end_object(builder);
  for (const auto &image : question.images) {
    json_builder_begin_object(builder);
    add_string(builder, "type", "image_url");
    json_builder_set_member_name(builder, "image_url");
    json_builder_begin_object(builder);
    add_string(builder, "url", data_uri(image));
    json_builder_end_object(builder);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

void add_sampling(JsonBuilder *builder, const ChatQuestion &question) {
  json_builder_set_member_name(builder, "max_tokens");
  json_builder_add_int_value(builder, question.max_tokens);
  json_builder_set_member_name(builder, "temperature");
  json_builder_add_int_value(builder, 0);
  json_builder_set_member_name(builder, "stream");
  json_builder_add_boolean_value(builder, FALSE);
  json_builder_set_member_name(builder, "logprobs");
  json_builder_add_boolean_value(builder, TRUE);
}

// --- Reading: each of these gives nothing when the member is absent or of another type
// -------------------------

JsonNode *member(JsonNode *node, const char *name) {
  if (!node || !JSON_NODE_HOLDS_OBJECT(node)) return nullptr;
  return json_object_get_member(json_node_get_object(node), name);
}

JsonArray *array_of(JsonNode *node) {
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : nullptr;
}

const char *string_of(JsonNode *node) {
  const bool is_string =
      node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
  return is_string ? json_node_get_string(node) : nullptr;
}

bool is_number(JsonNode *node) {
  if (!node || !JSON_NODE_HOLDS_VALUE(node)) return false;
  const GType type = json_node_get_value_type(node);
  return type == G_TYPE_DOUBLE || type == G_TYPE_INT64;
}

Result<ObjectPointer<JsonParser>> parse(std::string_view body) {
  if (auto shape = check_json_shape(body, kMaxDepth); !shape.ok()) return shape;
  ObjectPointer<JsonParser> parser(json_parser_new_immutable());
  GError *error = nullptr;
  if (!json_parser_load_from_data(parser.get(), body.data(), static_cast<gssize>(body.size()), &error)) {
    g_error_free(error);
    return Status(StatusKind::corrupt, "it is not valid JSON");
  }
  return parser;
}

// One printable line out of whatever a server wrote.
std::string one_line(std::string_view text) {
  const CString valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  std::string line;
  for (const char *p = valid.get(); *p != '\0'; p = g_utf8_next_char(p)) {
    const auto length = static_cast<std::size_t>(g_utf8_next_char(p) - p);
    if (line.size() + length > kMaxComplaint) break;
    if (g_unichar_isprint(g_utf8_get_char(p))) {
      line.append(p, length);
    } else {
      line += ' ';
    }
  }
  return trimmed(line);
}

std::string complaint_of(JsonNode *root) {
  JsonNode *error = member(root, "error");
  if (const char *text = string_of(error)) return one_line(text);
  if (const char *text = string_of(member(error, "message"))) return one_line(text);
  if (const char *text = string_of(member(root, "message"))) return one_line(text);
  if (const char *text = string_of(member(root, "detail"))) return one_line(text);
  return {};
}

// A message's content is a string, or an array of text parts.
Result<std::string> content_of(JsonNode *message) {
  JsonNode *content = member(message, "content");
  if (!content) return Status(StatusKind::corrupt, "its message has no content");
  if (const char *text = string_of(content)) return std::string(text);
  if (JSON_NODE_HOLDS_NULL(content)) {
    const char *refusal = string_of(member(message, "refusal"));
    return Status(StatusKind::unavailable, refusal ? "the model refused: " + one_line(refusal)
                                                   : std::string("its message holds no text"));
  }
  JsonArray *parts = array_of(content);
  if (!parts) return Status(StatusKind::corrupt, "its message's content is neither text nor parts");
  std::string joined;
  for (guint i = 0; i < json_array_get_length(parts); ++i) {
    if (const char *text = string_of(member(json_array_get_element(parts, i), "text"))) joined += text;
  }
  return joined;
}

std::vector<float> log_probabilities_of(JsonNode *choice) {
  std::vector<float> values;
  JsonArray *tokens = array_of(member(member(choice, "logprobs"), "content"));
  for (guint i = 0; tokens && i < json_array_get_length(tokens); ++i) {
    JsonNode *value = member(json_array_get_element(tokens, i), "logprob");
    // Half a list would give a confidence that is about something else.
    if (!is_number(value) || std::isnan(json_node_get_double(value))) return {};
    const double bounded =
        std::clamp(json_node_get_double(value), static_cast<double>(kLeastLogProbability), 0.0);
    values.push_back(static_cast<float>(bounded));
  }
  return values;
}

}  // namespace

std::string chat_completion_request(const ChatQuestion &question) {
  const ObjectPointer<JsonBuilder> builder(json_builder_new_immutable());
  json_builder_begin_object(builder.get());
  add_string(builder.get(), "model", question.model);
  json_builder_set_member_name(builder.get(), "messages");
  json_builder_begin_array(builder.get());
  json_builder_begin_object(builder.get());
  add_string(builder.get(), "role", "user");
  add_content(builder.get(), question);
  json_builder_end_object(builder.get());
  json_builder_end_array(builder.get());
  add_sampling(builder.get(), question);
  json_builder_end_object(builder.get());

  JsonNode *root = json_builder_get_root(builder.get());
  gsize length = 0;
  const ObjectPointer<JsonGenerator> generator(json_generator_new());
  json_generator_set_root(generator.get(), root);
  const CString text(json_generator_to_data(generator.get(), &length));
  json_node_unref(root);
  return {text.get(), length};
}

Result<Answer> parse_chat_completion(std::string_view body) {
  auto parsed = parse(body);
  if (!parsed.ok()) return parsed.status();
  JsonNode *root = json_parser_get_root(parsed.value().get());
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) return Status(StatusKind::corrupt, "it is not a JSON object");
  if (JsonNode *error = member(root, "error"); error && !JSON_NODE_HOLDS_NULL(error)) {
    const auto complaint = complaint_of(root);
    return Status(StatusKind::unavailable, complaint.empty()
                                               ? std::string("the server reports an error without a text")
                                               : "the server reports: " + complaint);
  }
  JsonArray *choices = array_of(member(root, "choices"));
  if (!choices || json_array_get_length(choices) == 0)
    return Status(StatusKind::corrupt, "it holds no choices");
  JsonNode *choice = json_array_get_element(choices, 0);
  auto content = content_of(member(choice, "message"));
  if (!content.ok()) return content.status();

  Answer answer;
  answer.text = trimmed(content.value());
  if (answer.text.empty()) return Status(StatusKind::unavailable, "the model answered with nothing");
  answer.token_log_probabilities = log_probabilities_of(choice);
  answer.confidence = answer.token_log_probabilities.empty() ? kUnknownConfidence
                                                             : confidence_of(answer.token_log_probabilities);
  answer.source = AnswerSource::cloud;
  const char *finish = string_of(member(choice, "finish_reason"));
  answer.truncated = finish && std::string_view(finish) == "length";
  return answer;
}

std::string server_complaint(std::string_view body) {
  auto parsed = parse(body);
  return parsed.ok() ? complaint_of(json_parser_get_root(parsed.value().get())) : std::string();
}

}  // namespace saccade
