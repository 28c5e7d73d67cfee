// The wire format: one question about a few pictures as an OpenAI chat completion, and what comes back.
// Follows the chat-completions reference (messages with `text` and `image_url` parts, `logprobs`), as vLLM,
// SGLang and llama-server speak it. Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mllm/answer.h"

namespace saccade {

using JpegBytes = std::vector<std::uint8_t>;

struct ChatQuestion {
  std::string model;
  std::string text;               // UTF-8; invalid bytes are replaced
  std::vector<JpegBytes> images;  // oldest first
  int max_tokens = 64;
};

// Confidence of an answer whose server sent no log-probabilities: neither trusted nor doubted.
inline constexpr float kUnknownConfidence = 0.5F;

// The request's body: one user message, first the text and then every image as a data URI; temperature 0, not
// streamed, log-probabilities asked for.
std::string chat_completion_request(const ChatQuestion &question);

// The answer in a response's body: text without white space around it, source `cloud`, confidence from the
// log-probabilities or kUnknownConfidence. `corrupt` when the body is not a chat completion, `unavailable`
// when it is the server's error object or a completion without text. Safe on any bytes.
Result<Answer> parse_chat_completion(std::string_view body);

// What a server says went wrong, from the body of an error response: one printable line of at most 200 bytes,
// empty when nothing can be made out.
std::string server_complaint(std::string_view body);

}  // namespace saccade
