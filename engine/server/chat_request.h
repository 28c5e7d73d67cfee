// What a client asks: the body of POST /v1/chat/completions, after OpenAI's reference of chat completions,
// and vLLM's for continue_final_message and prompt_logprobs. Pure functions, safe from any thread and on any
// bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mllm/turn.h"

namespace saccade {

struct ContentPart {
  enum class Kind { text, picture, sound };
  Kind kind = Kind::text;
  std::string data;  // UTF-8, or the bytes of a JPEG or PNG file, or of a WAV file
};

struct ChatMessage {
  Role role = Role::user;
  std::vector<ContentPart> parts;
};

struct ChatRequest {
  std::string model;                     // as the client calls it
  std::vector<ChatMessage> messages;     // at least one; without the one that is continued
  std::optional<std::string> beginning;  // of the answer: the text of the message that is continued
  std::optional<int> max_tokens;
  bool stream = false;
  bool include_usage = false;  // in the stream
  bool log_probabilities = false;
  int top_log_probabilities = 0;
  std::optional<int> prompt_log_probabilities;
  std::string json_schema;   // that the answer must satisfy; empty = none
  bool json_object = false;  // it must be some JSON object
  std::string prediction;
};

// How many alternatives of a token may be asked for.
inline constexpr int kMostAlternatives = 5;

// Fields that it does not know are ignored. Errors, each a sentence that names the field: corrupt (it is not
// JSON), invalid_argument (it is no such request), unsupported (this server does not do that).
Result<ChatRequest> parse_chat_request(std::string_view body);

}  // namespace saccade
