#include "server/chat_response.h"

#include <algorithm>
#include <cmath>

#include "base/json_write.h"

namespace saccade {
namespace {

constexpr float kNever = -9999.0F;  // JSON has no infinity; what OpenAI and vLLM write for it

double shown(float log_probability) {
  return std::isfinite(log_probability) ? std::max(log_probability, kNever) : kNever;
}

void write_head(JsonText &json, const ResponseHead &head, const char *object) {
  json.name("id").string(head.id).name("object").string(object);
  json.name("created").number(head.created).name("model").string(head.model);
}

void write_chance(JsonText &json, const TokenChance &chance) {
  json.name("token").string(chance.text).name("logprob").real(shown(chance.log_probability));
  json.name("bytes").begin_array();
  for (const char c : chance.text) json.number(static_cast<unsigned char>(c));
  json.end_array();
}

void write_log_probabilities(JsonText &json, const ChatRequest &request, const Answer &answer) {
  json.name("logprobs");
  if (!request.log_probabilities) {
    json.null();
    return;
  }
  json.begin_object().name("content").begin_array();
  for (const auto &[token, alternatives] : answer.tokens) {
    json.begin_object();
    write_chance(json, token);
    json.name("top_logprobs").begin_array();
    const auto count = std::min(alternatives.size(), static_cast<std::size_t>(request.top_log_probabilities));
    for (std::size_t i = 0; i < count; ++i) {
      json.begin_object();
      write_chance(json, alternatives[i]);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

// The token that stands there, and the most probable ones, by their numbers.
void write_prompt_token(JsonText &json, const TokenRecord &record, int alternatives) {
  const auto write = [&](const TokenChance &chance) {
    json.name(std::to_string(chance.id).c_str()).begin_object();
    json.name("logprob").real(shown(chance.log_probability)).name("rank").number(chance.rank);
    json.name("decoded_token").string(chance.text).end_object();
  };
  json.begin_object();
  write(record.token);
  const auto count = std::min(record.alternatives.size(), static_cast<std::size_t>(alternatives));
  for (std::size_t i = 0; i < count; ++i)
    if (record.alternatives[i].id != record.token.id) write(record.alternatives[i]);
  json.end_object();
}

void write_prompt_log_probabilities(JsonText &json, const ChatRequest &request, const Answer &answer) {
  if (!request.prompt_log_probabilities) return;
  json.name("prompt_logprobs").begin_array();
  for (int i = 0; i < answer.prompt_tokens; ++i) json.null();
  for (const auto &record : answer.beginning)
    write_prompt_token(json, record, *request.prompt_log_probabilities);
  json.end_array();
}

void write_usage(JsonText &json, const ChatRequest &request, const Answer &answer) {
  const auto prompt = answer.prompt_tokens + static_cast<std::int64_t>(answer.beginning.size());
  const auto completion = static_cast<std::int64_t>(answer.token_log_probabilities.size());
  json.name("usage").begin_object();
  json.name("prompt_tokens").number(prompt).name("completion_tokens").number(completion);
  json.name("total_tokens").number(prompt + completion);
  json.name("prompt_tokens_details").begin_object();
  json.name("cached_tokens").number(answer.prompt_tokens - answer.prompt_tokens_read).end_object();
  if (!request.prediction.empty()) {
    const auto wrong = answer.tokens_guessed - answer.tokens_guessed_right;
    json.name("completion_tokens_details").begin_object();
    json.name("accepted_prediction_tokens").number(answer.tokens_guessed_right);
    json.name("rejected_prediction_tokens").number(wrong).end_object();
  }
  json.end_object();
}

// As llama-server names them: what the answer took here, so that an edge can tell the way from the server.
void write_timings(JsonText &json, const Answer &answer) {
  json.name("timings").begin_object();
  json.name("prompt_ms").real(to_milliseconds(answer.timings.encode + answer.timings.prefill));
  json.name("predicted_ms").real(to_milliseconds(answer.timings.decode)).end_object();
}

const char *finish_reason(const Answer &answer) { return answer.truncated ? "length" : "stop"; }

// A chunk with one choice whose delta has the named text.
std::string chunk(const ResponseHead &head, const char *name, std::string_view text) {
  JsonText json;
  json.begin_object();
  write_head(json, head, "chat.completion.chunk");
  json.name("choices").begin_array().begin_object().name("index").number(0);
  json.name("delta").begin_object().name(name).string(text).end_object();
  json.name("finish_reason").null().end_object().end_array();
  return json.end_object().text();
}

}  // namespace

std::string completion_json(const ResponseHead &head, const ChatRequest &request, const Answer &answer,
                            std::string_view text) {
  JsonText json;
  json.begin_object();
  write_head(json, head, "chat.completion");
  json.name("choices").begin_array().begin_object().name("index").number(0);
  json.name("message").begin_object();
  json.name("role").string("assistant").name("content").string(text).end_object();
  write_log_probabilities(json, request, answer);
  json.name("finish_reason").string(finish_reason(answer)).end_object().end_array();
  write_usage(json, request, answer);
  write_timings(json, answer);
  write_prompt_log_probabilities(json, request, answer);
  return json.end_object().text();
}

std::string chunk_of_role(const ResponseHead &head) { return chunk(head, "role", "assistant"); }

std::string chunk_of_text(const ResponseHead &head, std::string_view text) {
  return chunk(head, "content", text);
}

std::string chunk_of_end(const ResponseHead &head, const ChatRequest &request, const Answer &answer) {
  JsonText json;
  json.begin_object();
  write_head(json, head, "chat.completion.chunk");
  json.name("choices").begin_array().begin_object().name("index").number(0);
  json.name("delta").begin_object().end_object();
  write_log_probabilities(json, request, answer);
  json.name("finish_reason").string(finish_reason(answer)).end_object().end_array();
  write_timings(json, answer);
  return json.end_object().text();
}

std::string chunk_of_usage(const ResponseHead &head, const ChatRequest &request, const Answer &answer) {
  JsonText json;
  json.begin_object();
  write_head(json, head, "chat.completion.chunk");
  json.name("choices").begin_array().end_array();
  write_usage(json, request, answer);
  return json.end_object().text();
}

std::string error_json(unsigned status, std::string_view message) {
  const char *type = "invalid_request_error";
  if (status == 401) type = "authentication_error";
  if (status == 429) type = "rate_limit_error";
  if (status >= 500) type = "server_error";
  JsonText json;
  json.begin_object().name("error").begin_object();
  json.name("message").string(message).name("type").string(type);
  json.name("param").null().name("code").number(status);
  return json.end_object().end_object().text();
}

std::string models_json(const std::string &model, std::int64_t created) {
  JsonText json;
  json.begin_object().name("object").string("list").name("data").begin_array();
  json.begin_object().name("id").string(model).name("object").string("model");
  json.name("created").number(created).name("owned_by").string("saccade").end_object();
  return json.end_array().end_object().text();
}

unsigned http_status_of(const Status &status) {
  switch (status.kind()) {
    case StatusKind::ok: return 200;
    // What does not fit into the context, or is too much for a grammar, will be so the next time, too.
    case StatusKind::exhausted:
    case StatusKind::invalid_argument:
    case StatusKind::corrupt:
    case StatusKind::unsupported: return 400;
    case StatusKind::not_found: return 404;
    case StatusKind::cancelled:
    case StatusKind::unavailable:
    case StatusKind::timed_out: return 503;
    case StatusKind::internal: return 500;
  }
  return 500;
}

}  // namespace saccade
