// How much of a draft the cloud would have said itself: what verification leaves of it. Pure function, safe
// from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "offload/chat/chat_reply.h"

namespace saccade {

struct DraftCheck {
  bool told = false;     // the server told of the draft's tokens; else nothing below is set
  std::string accepted;  // the beginning of the draft that is the cloud's own greedy choice
  bool whole = false;    // all of it
  int tokens = 0;        // of the draft, as the cloud counts them
  int tokens_accepted = 0;
  std::vector<float> log_probabilities;  // of the tokens of `accepted`
};

// `prompt`: all tokens that the server read, the draft's at the end (DESIGN: continue_final_message with
// prompt_logprobs). Tokens are accepted while their rank is 1, as greedy speculative decoding does
// (arXiv 2211.17192). A draft that is refused somewhere is cut back to the end of a word, for two reasons:
// the server reads the beginning as text again, and only whole words are sure to become the same tokens; and
// templates trim white space at the end of a message.
DraftCheck check_draft(std::span<const PromptToken> prompt, std::string_view draft);

}  // namespace saccade
