// What the house produces: an answer, where it came from, and how sure it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "mllm/choice.h"

namespace saccade {

enum class AnswerSource { edge, edge_draft, cloud, cloud_verified };

constexpr const char *to_string(AnswerSource source) {
  switch (source) {
    case AnswerSource::edge: return "edge";
    case AnswerSource::edge_draft: return "edge-draft";
    case AnswerSource::cloud: return "cloud";
    case AnswerSource::cloud_verified: return "cloud-verified";
  }
  return "unknown";
}

// How long each stage took on the way to an answer. `capture_to_answer` is what a user waits:
// from the newest frame's arrival in the element until the answer left it.
struct AnswerTimings {
  Duration queued{};
  Duration encode{};
  Duration waiting{};  // for the model's thread, which other sessions may keep busy
  Duration prefill{};
  Duration decode{};
  Duration capture_to_answer{};
};

// A token as the model sees it: natural logarithm of its probability among all tokens, and its rank by that,
// 1 = the most probable; whatever a grammar may have allowed or forced.
struct TokenChance {
  std::int32_t id = 0;
  std::string text;  // what people see of it; not always whole UTF-8
  float log_probability = 0;
  int rank = 1;
};

struct TokenRecord {
  TokenChance token;
  std::vector<TokenChance> alternatives;  // the most probable ones in its place, itself among them
};

struct Answer {
  std::string stream;    // whom it belongs to, where several are answered; empty = nobody said
  std::uint64_t id = 0;  // of the segment that was answered; counts up from 1 per element
  std::string question;
  // No surrounding white space; may be empty when the model ends at once. UTF-8, but for what follows a
  // beginning (AskOptions), which is all that the model wrote, and for a last character that was cut off.
  std::string text;
  // Natural logarithm, one per token of the text; of the end token alone when the text is empty.
  std::vector<float> token_log_probabilities;
  // Of each token of AskOptions::beginning, and, where AskOptions::alternatives are asked for, of each that
  // token_log_probabilities speaks of.
  std::vector<TokenRecord> beginning;
  std::vector<TokenRecord> tokens;
  // Over its first four tokens, on average; nothing of a server's, which does not say.
  std::optional<Hesitation> hesitation{};
  float confidence = 0;  // [0, 1]; of the local model as in confidence.h, of a server confidence_of()
  AnswerSource source = AnswerSource::edge;
  // Of each image of the question: the share of its last words' attention. Only with KvPolicy::saliency.
  std::vector<float> attention;
  StreamInterval about;  // the pts interval that it speaks of
  AnswerTimings timings;
  int visual_tokens_seen = 0;
  int visual_tokens_kept = 0;
  int prompt_tokens = 0;                    // that it was asked with,
  int prompt_tokens_read = 0;               // and those of them that were not in the KV cache already
  int tokens_guessed = 0;                   // of the answer, before they were chosen,
  int tokens_guessed_right = 0;             // and those of them that were
  bool partial = false;                     // it still grows; text is what there is of it
  std::optional<std::string> unsure_of;     // what would have been said, where `text` says that it is unsure
  bool truncated = false;                   // stopped at max-tokens or the end of the context, not by itself
  std::optional<std::uint64_t> supersedes;  // id of the earlier answer that this one corrects
};

// What is known of a server's answer: the geometric mean of the probabilities, in [0, 1]; 0 for no tokens.
float confidence_of(const std::vector<float> &token_log_probabilities);

}  // namespace saccade
