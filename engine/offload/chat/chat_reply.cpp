#include "offload/chat/chat_reply.h"

#include "base/text.h"
#include "offload/chat/chat_json.h"

namespace saccade {

using namespace chat_json;

namespace {

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

}  // namespace

Result<ChatReply> parse_chat_completion(std::string_view body) {
  auto parsed = parse(body);
  if (!parsed.ok()) return parsed.status();
  JsonNode *root = json_parser_get_root(parsed.value().get());
  if (auto error = error_in(root); !error.ok()) return error;
  JsonArray *choices = array_of(member(root, "choices"));
  if (!choices || json_array_get_length(choices) == 0)
    return Status(StatusKind::corrupt, "it holds no choices");
  JsonNode *choice = json_array_get_element(choices, 0);
  auto content = content_of(member(choice, "message"));
  if (!content.ok()) return content.status();

  ChatReply reply;
  reply.text = std::move(content).value();
  // Half a list would give a confidence that is about something else.
  if (!read_log_probabilities(choice, reply.log_probabilities)) reply.log_probabilities.clear();
  read_finish(choice, reply);
  read_usage(root, reply);
  read_timings(root, reply);
  read_prompt_tokens(root, reply);
  return reply;
}

std::string server_complaint(std::string_view body) {
  auto parsed = parse(body);
  return parsed.ok() ? complaint_of(json_parser_get_root(parsed.value().get())) : std::string();
}

Result<Answer> answer_of(const ChatReply &reply) {
  Answer answer;
  answer.text = trimmed(reply.text);
  if (answer.text.empty()) return Status(StatusKind::unavailable, "the model answered with nothing");
  answer.token_log_probabilities = reply.log_probabilities;
  answer.confidence =
      reply.log_probabilities.empty() ? kUnknownConfidence : confidence_of(reply.log_probabilities);
  answer.source = AnswerSource::cloud;
  answer.truncated = reply.truncated;
  return answer;
}

}  // namespace saccade
