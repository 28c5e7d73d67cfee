#include "mllm/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mllm/kv_cache.h"
#include "mllm/prompt.h"

namespace saccade {
namespace {

struct Choice {
  std::int32_t token = 0;
  float log_probability = 0;
};

// The most probable token. Ties go to the lowest id, so that equal input gives equal output.
Choice choose_greedily(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - *best));
  return {static_cast<std::int32_t>(best - logits.begin()), static_cast<float>(-std::log(sum))};
}

std::string piece_of(const llama_vocab *vocabulary, std::int32_t token) {
  std::string piece(64, '\0');
  auto length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<std::int32_t>(piece.size()),
                                     0, false);
  if (length < 0) {
    piece.resize(static_cast<std::size_t>(-length));
    length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<std::int32_t>(piece.size()), 0,
                                  false);
  }
  piece.resize(static_cast<std::size_t>(std::max(length, 0)));
  return piece;
}

std::string without_surrounding_space(const std::string &text) {
  constexpr const char *kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Adjacent text is joined, so that the cache sees one stretch between two pictures.
void append_text(std::vector<Stretch> &prompt, const std::vector<std::int32_t> &tokens) {
  if (tokens.empty()) return;
  if (!prompt.empty())
    if (auto *text = std::get_if<std::vector<std::int32_t>>(&prompt.back())) {
      text->insert(text->end(), tokens.begin(), tokens.end());
      return;
    }
  prompt.emplace_back(tokens);
}

std::vector<Stretch> lay_out(const Prompt &words, std::span<const EncodedImage> images) {
  std::vector<Stretch> prompt;
  append_text(prompt, words.opening);
  for (const auto &image : images) {
    for (const auto &piece : image.pieces) {
      append_text(prompt, piece.announcement);
      if (piece.tokens && piece.tokens->count() > 0) prompt.emplace_back(piece.tokens);
    }
    append_text(prompt, image.closing);
  }
  append_text(prompt, words.question);
  append_text(prompt, words.turn);
  return prompt;
}

}  // namespace

struct Session::Impl {
  std::shared_ptr<ModelPair> pair;
  SessionOptions options;
  PromptMaker prompts;
  std::unique_ptr<KvCache> cache;

  Status generate(Answer &answer, std::stop_token stop, const TokenListener &listener);
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<ModelPair> pair,
                                                 const SessionOptions &options) {
  auto prompts = PromptMaker::create(pair, options.chat_template, options.system_prompt);
  if (!prompts.ok()) return prompts.status();
  auto cache = KvCache::create(pair, options.max_context);
  if (!cache.ok()) return cache.status();
  auto impl = std::unique_ptr<Impl>(
      new Impl{std::move(pair), options, std::move(prompts).value(), std::move(cache).value()});
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

Result<Answer> Session::ask(const std::string &question, std::span<const EncodedImage> images,
                            std::stop_token stop, const TokenListener &listener) {
  Answer answer;
  answer.question = question;
  for (const auto &image : images)
    for (const auto &piece : image.pieces)
      if (piece.tokens) {
        answer.visual_tokens_seen += piece.tokens->seen;
        answer.visual_tokens_kept += piece.tokens->count();
      }

  const auto start = Clock::now();
  const auto prompt = lay_out(impl_->prompts.make(question), images);
  if (auto status = impl_->cache->read(prompt, stop); !status.ok()) return status;
  const auto read = Clock::now();
  answer.timings.prefill = read - start;
  if (auto status = impl_->generate(answer, stop, listener); !status.ok()) return status;
  answer.timings.decode = Clock::now() - read;
  answer.confidence = confidence_of(answer.token_log_probabilities);
  return answer;
}

Status Session::Impl::generate(Answer &answer, std::stop_token stop, const TokenListener &listener) {
  const auto *vocabulary = llama_model_get_vocab(pair->impl().text.get());
  std::string text;
  for (int i = 0;; ++i) {
    const auto logits = cache->logits();
    if (logits.empty()) return {StatusKind::internal, "llama.cpp gave no logits"};
    const auto choice = choose_greedily(logits);
    const bool ended = llama_vocab_is_eog(vocabulary, choice.token);
    // The end counts only when nothing was said. Averaged with a sure end, an even guess between two words
    // would have a confidence of 0.7 (measured: the model card's calibration); and servers leave it out, too.
    if (!ended || answer.token_log_probabilities.empty()) {
      answer.token_log_probabilities.push_back(choice.log_probability);
    }
    if (ended) break;
    const auto piece = piece_of(vocabulary, choice.token);
    text += piece;
    if (listener) listener(piece);
    if (i + 1 >= options.max_tokens) {
      answer.truncated = true;
      break;
    }
    const auto status = cache->read_token(choice.token, stop);
    if (status.kind() == StatusKind::exhausted) {  // what was said so far is still an answer
      answer.truncated = true;
      break;
    }
    if (!status.ok()) return status;
  }
  answer.text = without_surrounding_space(text);
  return {};
}

}  // namespace saccade
