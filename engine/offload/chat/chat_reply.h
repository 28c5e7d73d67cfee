// What a server says to a question, whole or piece by piece. Everything here takes bytes from outside: no
// input crashes it, and what is no reply is refused with a sentence. Not thread-safe, but for the pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "mllm/answer.h"

namespace saccade {

// Confidence of an answer whose server sent no log-probabilities: neither trusted nor doubted.
inline constexpr float kUnknownConfidence = 0.5F;

// A token of the prompt as the server read it, with vLLM's word on how probable it was there.
struct PromptToken {
  std::string text;  // as the server shows it; a token that holds part of a character shows U+FFFD or nothing
  int rank = 0;      // 1 = the model would have said it itself; 0 = not told
  float log_probability = 0;
};

struct ChatReply {
  std::string text;                      // as it came, white space around it included
  std::vector<float> log_probabilities;  // natural logarithms, one per token; empty when not told for all
  bool complete = false;                 // the server said that, and why, it ended
  bool truncated = false;                // at max_tokens
  std::optional<int> predicted_right;    // tokens of the prediction that were accepted; empty = not told
  std::optional<int> predicted_wrong;
  std::optional<int> tokens;  // of the text
  // What the server took to read the prompt and to answer, as llama.cpp's tells it; empty = not told.
  std::optional<Duration> server_time;
  std::optional<std::vector<PromptToken>> prompt_tokens;  // empty = not told
};

// A whole response's body. `corrupt` when it is not a chat completion, `unavailable` when it is the server's
// error object, or its model refused.
Result<ChatReply> parse_chat_completion(std::string_view body);

// What a server says went wrong, from the body of an error response: one printable line of at most 200 bytes,
// empty when nothing can be made out.
std::string server_complaint(std::string_view body);

// A streamed response (server-sent events, as the WHATWG's HTML standard has them, with a chunk of the
// completion in each).
class ChatStream {
 public:
  // The next bytes, cut anywhere. Errors as parse_chat_completion(); after one, nothing more is taken.
  Status take(std::string_view bytes);
  // What came so far.
  const ChatReply &reply() const { return reply_; }
  // Ok when the stream was a completion that came to its end.
  Status finished() const;

 private:
  Status take_line(std::string_view line);
  Status take_event();
  void take_log_probabilities(std::vector<float> values, bool with_text);

  ChatReply reply_;
  std::string line_;
  std::string event_;  // the data of the event that goes on
  bool after_return_ = false;
  bool ended_ = false;   // [DONE]
  bool any_ = false;     // a chunk came
  bool untold_ = false;  // log-probabilities of some text
  bool told_at_the_end_ = false;
};

// The answer in a reply: text without white space around it, source `cloud`, confidence from the
// log-probabilities or kUnknownConfidence. `unavailable` when it is empty.
Result<Answer> answer_of(const ChatReply &reply);

}  // namespace saccade
