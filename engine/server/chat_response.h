// What a client is told: chat completions, whole or in chunks, as OpenAI's reference has them, and vLLM's for
// prompt_logprobs. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mllm/answer.h"
#include "server/chat_request.h"

namespace saccade {

// What all parts of one response have in common.
struct ResponseHead {
  std::string id;            // "chatcmpl-..."
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
};

// The whole answer. `text`: its text as the client is to see it.
std::string completion_json(const ResponseHead &head, const ChatRequest &request, const Answer &answer,
                            std::string_view text);

// A stream's chunks, in this order: the role, any number of texts, the end, and the usage where it was asked
// for.
std::string chunk_of_role(const ResponseHead &head);
std::string chunk_of_text(const ResponseHead &head, std::string_view text);
// With the reason of the end, and the log-probabilities of all tokens, where they were asked for.
std::string chunk_of_end(const ResponseHead &head, const ChatRequest &request, const Answer &answer);
std::string chunk_of_usage(const ResponseHead &head, const ChatRequest &request, const Answer &answer);

// OpenAI's error object. status: of HTTP.
std::string error_json(unsigned status, std::string_view message);

std::string models_json(const std::string &model, std::int64_t created);

// The status of HTTP that tells a client about an error of the engine.
unsigned http_status_of(const Status &status);

}  // namespace saccade
