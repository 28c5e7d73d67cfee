#include "offload/chat/chat_json.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace saccade::chat_json {

namespace {

constexpr int kMaxDepth = 64;                     // a chat completion is about 8 deep
constexpr std::size_t kMaxComplaint = 200;        // bytes of the server's own words in an error sentence
constexpr float kLeastLogProbability = -1000.0F;  // servers write -9999 or -inf for "never"
constexpr int kMostTokens = 1'000'000'000;
constexpr double kMostMilliseconds = 1e9;

std::optional<float> log_probability_of(JsonNode *node) {
  if (!is_number(node) || std::isnan(json_node_get_double(node))) return std::nullopt;
  const auto least = static_cast<double>(kLeastLogProbability);
  return static_cast<float>(std::clamp(json_node_get_double(node), least, 0.0));
}

std::optional<int> count_of(JsonNode *node) {
  const auto number = whole_number_of(node);
  if (!number || *number < 0 || *number > kMostTokens) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<Duration> milliseconds_of(JsonNode *node) {
  if (!is_number(node)) return std::nullopt;
  const double number = json_node_get_double(node);
  if (!(number >= 0 && number <= kMostMilliseconds)) return std::nullopt;
  return from_seconds(number / 1e3);
}

// An entry of prompt_logprobs names the token that stands there and, where that is another, the one that the
// model would have said: the token that stands there is the one of the higher rank.
PromptToken prompt_token_of(JsonNode *entry) {
  PromptToken token;
  if (!entry || !JSON_NODE_HOLDS_OBJECT(entry)) return token;
  JsonObjectIter iterator;
  json_object_iter_init(&iterator, json_node_get_object(entry));
  JsonNode *candidate = nullptr;
  while (json_object_iter_next(&iterator, nullptr, &candidate)) {
    const auto rank = count_of(member(candidate, "rank"));
    const char *text = string_of(member(candidate, "decoded_token"));
    const auto value = log_probability_of(member(candidate, "logprob"));
    if (rank && text && value && *rank > token.rank) token = {text, *rank, *value};
  }
  return token;
}

}  // namespace

Result<ObjectPointer<JsonParser>> parse(std::string_view body) {
  auto parser = parse_json(body, kMaxDepth);
  if (!parser.ok()) return parser;
  JsonNode *root = json_parser_get_root(parser.value().get());
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) return Status(StatusKind::corrupt, "it is not a JSON object");
  return parser;
}

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

Status error_in(JsonNode *root) {
  JsonNode *error = member(root, "error");
  if (!error || JSON_NODE_HOLDS_NULL(error)) return {};
  const auto complaint = complaint_of(root);
  if (complaint.empty()) return {StatusKind::unavailable, "the server reports an error without a text"};
  return {StatusKind::unavailable, "the server reports: " + complaint};
}

bool read_log_probabilities(JsonNode *choice, std::vector<float> &values) {
  JsonArray *tokens = array_of(member(member(choice, "logprobs"), "content"));
  if (!tokens) return false;
  for (guint i = 0; i < json_array_get_length(tokens); ++i) {
    const auto value = log_probability_of(member(json_array_get_element(tokens, i), "logprob"));
    if (!value) return false;
    values.push_back(*value);
  }
  return true;
}

void read_finish(JsonNode *choice, ChatReply &reply) {
  const char *reason = string_of(member(choice, "finish_reason"));
  if (!reason) return;
  reply.complete = true;
  reply.truncated = std::string_view(reason) == "length";
}

void read_usage(JsonNode *root, ChatReply &reply) {
  JsonNode *usage = member(root, "usage");
  if (const auto tokens = count_of(member(usage, "completion_tokens"))) reply.tokens = tokens;
  JsonNode *details = member(usage, "completion_tokens_details");
  if (const auto right = count_of(member(details, "accepted_prediction_tokens")))
    reply.predicted_right = right;
  if (const auto wrong = count_of(member(details, "rejected_prediction_tokens")))
    reply.predicted_wrong = wrong;
}

void read_timings(JsonNode *root, ChatReply &reply) {
  JsonNode *timings = member(root, "timings");
  const auto reading = milliseconds_of(member(timings, "prompt_ms"));
  const auto answering = milliseconds_of(member(timings, "predicted_ms"));
  if (reading && answering) reply.server_time = *reading + *answering;
}

void read_prompt_tokens(JsonNode *root, ChatReply &reply) {
  JsonArray *entries = array_of(member(root, "prompt_logprobs"));
  if (!entries) return;
  reply.prompt_tokens.emplace();
  for (guint i = 0; i < json_array_get_length(entries); ++i)
    reply.prompt_tokens->push_back(prompt_token_of(json_array_get_element(entries, i)));
}

}  // namespace saccade::chat_json
