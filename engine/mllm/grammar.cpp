#include "mllm/grammar.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "mllm/grammar_check.h"
#include "vision/llama_handles.h"
#include "vision/llama_log.h"

namespace saccade {
namespace {

// Where the most probable token is refused, these many are tried before the whole vocabulary is, which may
// take 240 ms for 150,000 tokens (Qwen2's, within a string).
constexpr std::size_t kBestFew = 256;

// A grammar may have ever more ways to read a text, e.g. twice as many at each opening bracket. How many
// llama.cpp follows shows only in the time that a token takes it: 0.02 ms for JSON, 100 ms for 1,000 ways,
// and four times as much for twice as many.
constexpr std::chrono::milliseconds kMostPerToken{100};

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Of this thread; what else runs on the machine does not count.
std::chrono::nanoseconds processor_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Leaves those that llama.cpp's grammar takes.
void keep_allowed(llama_sampler *sampler, std::vector<std::int32_t> &tokens) {
  std::vector<llama_token_data> candidates;
  candidates.reserve(tokens.size());
  for (const auto token : tokens) candidates.push_back({token, 0, 0});
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(sampler, &array);
  tokens.clear();
  for (const auto &candidate : candidates)
    if (candidate.logit != kNever) tokens.push_back(candidate.id);
}

const llama_vocab *vocabulary_of(const ModelPair &pair) {
  return llama_model_get_vocab(pair.impl().text.get());
}

}  // namespace

void Grammar::SamplerFree::operator()(llama_sampler *sampler) const { llama_sampler_free(sampler); }

Grammar::Grammar(std::shared_ptr<ModelPair> pair, Sampler beginning)
    : pair_(std::move(pair)), beginning_(std::move(beginning)), index_(vocabulary_of(*pair_)) {}

Result<std::shared_ptr<const Grammar>> Grammar::create(std::shared_ptr<ModelPair> pair,
                                                       const std::string &gbnf) {
  if (auto status = check_grammar(gbnf); !status.ok())
    return Status{status.kind(), "grammar: " + status.message()};
  forget_complaints();
  Sampler beginning;
  try {
    beginning.reset(llama_sampler_init_grammar(vocabulary_of(*pair), gbnf.c_str(), "root"));
  } catch (const std::exception &error) {
    return Status{StatusKind::internal, std::string("grammar: llama.cpp failed on it: ") + error.what()};
  }
  if (!beginning)
    return Status{StatusKind::invalid_argument, "grammar: llama.cpp does not take it: " + last_complaint()};
  return std::shared_ptr<const Grammar>(new Grammar(std::move(pair), std::move(beginning)));
}

Grammar::Walk Grammar::start() const { return Walk(shared_from_this()); }

Grammar::Walk::Walk(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), sampler_(llama_sampler_clone(grammar_->beginning_.get())) {}

Grammar::Walk::Walk(const Walk &other)
    : grammar_(other.grammar_),
      sampler_(llama_sampler_clone(other.sampler_.get())),
      begun_(other.begun_),
      ended_(other.ended_) {}

Grammar::Walk &Grammar::Walk::operator=(const Walk &other) {
  if (this != &other) *this = Walk(other);
  return *this;
}

// llama.cpp reads bytes that are not UTF-8 as characters of some kind.
bool Grammar::Walk::fits_as_text(std::int32_t token) const {
  const auto *vocabulary = vocabulary_of(*grammar_->pair_);
  if (llama_vocab_is_eog(vocabulary, token)) return true;
  const auto text = text_of(vocabulary, token);
  return text && unfinished_utf8(begun_ + *text);
}

bool Grammar::Walk::allows(std::int32_t token) const {
  if (ended_ || token < 0 || token >= llama_vocab_n_tokens(vocabulary_of(*grammar_->pair_))) return false;
  std::vector<std::int32_t> alone{token};
  keep_allowed(sampler_.get(), alone);
  return !alone.empty() && fits_as_text(token);
}

bool Grammar::Walk::may_end() const {
  const auto &ends = grammar_->index_.ends();
  return !ends.empty() && allows(ends.front());
}

// All that may come is among them. Where a byte may not come, nothing that begins with it may.
std::vector<std::int32_t> Grammar::Walk::with_a_first_byte_that_may_come() const {
  const auto &index = grammar_->index_;
  std::vector<std::int32_t> bytes;
  for (int byte = 0; byte < 256; ++byte)
    if (const auto token = index.alone(static_cast<std::uint8_t>(byte))) bytes.push_back(*token);
  keep_allowed(sampler_.get(), bytes);

  auto tokens = index.ends();
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<std::uint8_t>(i);
    if (const auto token = index.alone(byte); token && std::ranges::find(bytes, *token) == bytes.end())
      continue;
    const auto some = index.beginning_with(byte);
    tokens.insert(tokens.end(), some.begin(), some.end());
  }
  return tokens;
}

template <typename Better>
std::optional<std::int32_t> Grammar::Walk::best_of(std::vector<std::int32_t> tokens, Better better) const {
  keep_allowed(sampler_.get(), tokens);
  std::ranges::sort(tokens, better);
  const auto best = std::ranges::find_if(tokens, [this](std::int32_t token) { return fits_as_text(token); });
  if (best == tokens.end()) return std::nullopt;
  return *best;
}

std::optional<Choice> Grammar::Walk::choose(std::span<const float> logits) const {
  if (ended_ || logits.empty()) return std::nullopt;
  const auto best = choose_greedily(logits);
  if (allows(best.token)) return best;

  const auto logit_of = [&](std::int32_t token) {
    const auto at = static_cast<std::size_t>(token);
    return at >= logits.size() || std::isnan(logits[at]) ? kNever : logits[at];
  };
  const auto better = [&](std::int32_t a, std::int32_t b) {
    return logit_of(a) != logit_of(b) ? logit_of(a) > logit_of(b) : a < b;
  };
  const auto known = static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary_of(*grammar_->pair_)));
  std::vector<std::int32_t> few(std::min(known, logits.size()));
  std::iota(few.begin(), few.end(), 0);
  if (few.size() > kBestFew) {
    std::nth_element(few.begin(), few.begin() + kBestFew, few.end(), better);
    few.resize(kBestFew);
  }
  auto token = best_of(std::move(few), better);
  if (!token) token = best_of(with_a_first_byte_that_may_come(), better);
  if (!token) return std::nullopt;
  if (logit_of(*token) == kNever) return Choice{*token, kNever};
  return Choice{*token, logit_of(*token) - logit_of(best.token) + best.log_probability};
}

Status Grammar::Walk::accept(std::int32_t token) {
  if (!allows(token))
    return {StatusKind::invalid_argument, "grammar: token " + std::to_string(token) + " may not come next"};
  const auto *vocabulary = vocabulary_of(*grammar_->pair_);
  if (llama_vocab_is_eog(vocabulary, token)) {
    ended_ = true;
    return {};
  }
  begun_ += text_of(vocabulary, token).value_or("");
  begun_.erase(0, begun_.size() - unfinished_utf8(begun_).value_or(0));
  const auto start = processor_time();
  try {
    llama_sampler_accept(sampler_.get(), token);
  } catch (const std::exception &error) {
    ended_ = true;  // llama.cpp aborts the process when it is asked again
    return {StatusKind::internal, std::string("grammar: llama.cpp failed in it: ") + error.what()};
  }
  if (processor_time() - start < kMostPerToken) return {};
  ended_ = true;
  return {
      StatusKind::exhausted,
      "grammar: the text so far can be read in too many ways. Let the alternatives of a rule that contains "
      "itself begin differently."};
}

}  // namespace saccade
