// One question about a few pictures and what was heard with them, as an OpenAI chat completion on the wire.
// Follows the chat-completions reference (messages with `text`, `image_url` and `input_audio` parts,
// `logprobs`, `prediction`), and vLLM's additions to it (`continue_final_message`, `prompt_logprobs`). Pure
// functions, safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace saccade {

using JpegBytes = std::vector<std::uint8_t>;

struct ChatQuestion {
  std::string model;
  std::string text;               // UTF-8; invalid bytes are replaced
  std::vector<JpegBytes> images;  // oldest first
  int max_tokens = 64;
  std::vector<std::uint8_t> sound{};  // a WAV file; empty = none
};

// What a server is to do with words that somebody else has said already.
enum class DraftUse {
  none,
  predict,  // take them for a guess at the answer: OpenAI's predicted outputs
  score,    // say how probable each of them is, and nothing more: prompt log-probabilities
  go_on,    // take them for the answer's beginning
};

struct GivenWords {
  DraftUse use = DraftUse::none;
  std::string text;  // UTF-8
};

// A request's body in two parts: all of `tail` is known only when there is a draft, and `head`, which holds
// the pictures, can be on its way before. Together they are one JSON object: one user message, first the
// text, then every image as a data URI, then the sound; temperature 0, log-probabilities asked for, and
// streamed unless words are to be scored, which servers refuse to stream.
std::string chat_request_head(const ChatQuestion &question);
std::string chat_request_tail(const ChatQuestion &question, const GivenWords &given = {});

}  // namespace saccade
