#include "server/chat_request.h"

#include <algorithm>
#include <utility>

#include "base/json_read.h"
#include "server/request_content.h"

namespace saccade {
namespace {

constexpr int kMaxDepth = 64;  // a request is about 6 deep, and a schema in it as deep as its answers
constexpr std::int64_t kMostTokens = 1 << 20;

Status invalid(std::string what) { return {StatusKind::invalid_argument, std::move(what)}; }

// A flag that may be absent.
Result<bool> flag(JsonNode *root, const char *name, bool otherwise = false) {
  JsonNode *node = member(root, name);
  if (is_absent(node)) return otherwise;
  const auto value = bool_of(node);
  if (!value) return invalid(std::string(name) + " must be true or false");
  return *value;
}

// A whole number that may be absent.
Result<std::optional<int>> whole_number(JsonNode *root, const char *name, std::int64_t least,
                                        std::int64_t most) {
  JsonNode *node = member(root, name);
  if (is_absent(node)) return std::optional<int>();
  const auto value = whole_number_of(node);
  if (!value || *value < least || *value > most)
    return invalid(std::string(name) + " must be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most));
  return std::optional<int>(static_cast<int>(*value));
}

Status read_lengths(JsonNode *root, ChatRequest &request) {
  for (const char *name : {"max_tokens", "max_completion_tokens"}) {
    auto value = whole_number(root, name, 1, kMostTokens);
    if (!value.ok()) return value.status();
    if (value.value()) request.max_tokens = value.value();
  }
  if (JsonNode *n = member(root, "n"); !is_absent(n) && whole_number_of(n) != 1)
    return {StatusKind::unsupported, "n must be 1: the same question gets the same answer here"};
  return {};
}

Status read_stream(JsonNode *root, ChatRequest &request) {
  auto stream = flag(root, "stream");
  if (!stream.ok()) return stream.status();
  request.stream = stream.value();
  if (JsonNode *options = member(root, "stream_options"); !is_absent(options)) {
    auto usage = flag(options, "include_usage");
    if (!usage.ok()) return usage.status();
    request.include_usage = usage.value();
  }
  return {};
}

Status read_log_probabilities(JsonNode *root, ChatRequest &request) {
  auto wanted = flag(root, "logprobs");
  if (!wanted.ok()) return wanted.status();
  request.log_probabilities = wanted.value();
  auto top = whole_number(root, "top_logprobs", 0, kMostAlternatives);
  if (!top.ok()) return top.status();
  request.top_log_probabilities = top.value().value_or(0);
  if (request.top_log_probabilities > 0 && !request.log_probabilities)
    return invalid("top_logprobs needs logprobs to be true");
  auto prompt = whole_number(root, "prompt_logprobs", 0, kMostAlternatives);
  if (!prompt.ok()) return prompt.status();
  request.prompt_log_probabilities = prompt.value();
  if (request.prompt_log_probabilities && request.stream)
    return invalid("prompt_logprobs are not available with stream: ask without it, and stream what follows");
  return {};
}

Status read_form(JsonNode *root, ChatRequest &request) {
  JsonNode *format = member(root, "response_format");
  if (is_absent(format)) return {};
  const char *given = string_of(member(format, "type"));
  const std::string_view type = given ? given : "";
  request.json_object = type == "json_object";
  if (type == "text" || type == "json_object") return {};
  if (type != "json_schema") return invalid("response_format.type must be text, json_object or json_schema");
  JsonNode *schema = member(member(format, "json_schema"), "schema");
  if (!schema || !JSON_NODE_HOLDS_OBJECT(schema))
    return invalid("response_format.json_schema.schema is missing: it is the JSON schema, an object");
  const CString text(json_to_string(schema, FALSE));
  request.json_schema = text.get();
  return {};
}

// Takes the message that is continued away from the conversation.
Status read_continuation(JsonNode *root, ChatRequest &request) {
  auto continues = flag(root, "continue_final_message");
  if (!continues.ok()) return continues.status();
  auto prompts = flag(root, "add_generation_prompt", !continues.value());
  if (!prompts.ok()) return prompts.status();
  if (continues.value() && prompts.value())
    return invalid(
        "continue_final_message and add_generation_prompt cannot both be true: an answer is either "
        "continued or begun. Set add_generation_prompt to false");
  if (!continues.value() && !prompts.value())
    return {StatusKind::unsupported,
            "add_generation_prompt false is only taken with continue_final_message true"};
  if (!continues.value()) return {};
  auto &last = request.messages.back();
  if (last.role != Role::assistant)
    return invalid("continue_final_message wants the last message to be the assistant's, which it continues");
  std::string text;
  for (const auto &part : last.parts) text += part.data;
  if (text.empty()) return invalid("continue_final_message wants the last message to hold some text");
  request.beginning = std::move(text);
  request.messages.pop_back();
  if (request.messages.empty()) return invalid("messages holds nothing but the answer that is continued");
  return {};
}

Status read_prediction(JsonNode *root, ChatRequest &request) {
  JsonNode *prediction = member(root, "prediction");
  if (is_absent(prediction)) return {};
  auto text = read_text(member(prediction, "content"), "prediction.content");
  if (!text.ok()) return text.status();
  request.prediction = std::move(text).value();
  return {};
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view body) {
  const auto parsed = parse_json(body, kMaxDepth);
  if (!parsed.ok())
    return Status{StatusKind::corrupt, "the request's body cannot be read: " + parsed.status().message()};
  JsonNode *root = json_parser_get_root(parsed.value().get());
  if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    return Status{StatusKind::corrupt, "the request's body is not a JSON object"};
  ChatRequest request;
  if (const char *model = string_of(member(root, "model"))) request.model = model;
  auto messages = read_messages(member(root, "messages"));
  if (!messages.ok()) return messages.status();
  request.messages = std::move(messages).value();
  for (const auto read :
       {read_lengths, read_stream, read_log_probabilities, read_form, read_continuation, read_prediction})
    if (auto status = read(root, request); !status.ok()) return status;
  return request;
}

}  // namespace saccade
