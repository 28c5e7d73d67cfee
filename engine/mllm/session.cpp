#include "mllm/session.h"

#include <algorithm>
#include <map>
#include <utility>

#include "mllm/confidence.h"
#include "mllm/draft.h"
#include "mllm/generation.h"
#include "mllm/prompt.h"
#include "mllm/scheduler.h"
#include "mllm/stretch.h"
#include "vision/llama_handles.h"

namespace saccade {
namespace {

constexpr std::size_t kAnswersRemembered = 32;  // as guesses, each of another question

std::string without_surrounding_space(const std::string &text) {
  constexpr const char *kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Adjacent text is joined, so that the cache sees one stretch between two pictures.
void append_text(std::vector<Stretch> &prompt, const TextTokens &tokens) {
  if (tokens.empty()) return;
  if (!prompt.empty())
    if (auto *text = std::get_if<TextTokens>(&prompt.back())) {
      text->insert(text->end(), tokens.begin(), tokens.end());
      return;
    }
  prompt.emplace_back(tokens);
}

std::vector<Stretch> lay_out(const Prompt &words, std::span<const EncodedImage> images,
                             PromptPosition position) {
  std::vector<Stretch> prompt;
  append_text(prompt, words.opening);
  if (position == PromptPosition::before) append_text(prompt, words.question);
  for (const auto &image : images) {
    for (const auto &piece : image.pieces) {
      append_text(prompt, piece.announcement);
      if (piece.tokens && piece.tokens->count() > 0) prompt.emplace_back(piece.tokens);
    }
    append_text(prompt, image.closing);
  }
  if (position == PromptPosition::after) append_text(prompt, words.question);
  append_text(prompt, words.turn);
  return prompt;
}

// Tokens of another model's projector would be read out of bounds.
Status check_width(std::span<const Stretch> prompt, const ModelPair &pair) {
  const auto width = llama_model_n_embd_inp(pair.impl().text.get());
  for (const auto &stretch : prompt) {
    const auto *tokens = std::get_if<SharedTokens>(&stretch);
    if (!tokens || (*tokens)->dimension == width) continue;
    const std::string whose = (*tokens)->sense == Sense::sight ? "the picture's" : "the sound's";
    return {StatusKind::invalid_argument, whose + " tokens have " + std::to_string((*tokens)->dimension) +
                                              " numbers each, the model takes " + std::to_string(width) +
                                              ": they were made by another model's projector"};
  }
  return {};
}

// Of each image: the attention to its pictures. shares: of each stretch of the prompt; empty when unknown.
std::vector<float> attention_to(std::span<const EncodedImage> images, std::span<const Stretch> prompt,
                                std::span<const float> shares) {
  std::vector<float> sums;
  if (shares.size() < prompt.size()) return sums;
  std::size_t at = 0;
  for (const auto &image : images) {
    sums.push_back(0);
    for (const auto &piece : image.pieces) {
      if (!piece.tokens || piece.tokens->count() == 0) continue;
      while (!std::holds_alternative<SharedTokens>(prompt[at])) ++at;
      sums.back() += shares[at++];
    }
  }
  return sums;
}

}  // namespace

struct Session::Impl {
  std::shared_ptr<ModelPair> pair;
  SessionOptions options;
  PromptMaker prompts;
  Calibration calibration;
  int limit;                     // tokens of a prompt and its answer
  std::unique_ptr<Draft> draft;  // null = none
  std::unique_ptr<Scheduler::Seat> seat;
  std::map<std::string, TextTokens> last_answers;  // by question

  Result<Request> request_for(const std::string &question, std::span<const EncodedImage> images) const;
  void remember(const std::string &question, const TextTokens &answer);
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<ModelPair> pair,
                                                 const SessionOptions &options) {
  auto prompts = PromptMaker::create(pair, options.chat_template, options.system_prompt);
  if (!prompts.ok()) return prompts.status();
  const int trained = llama_model_n_ctx_train(pair->impl().text.get());
  const int wanted = std::max(options.max_context, 1);
  const int limit = trained > 0 ? std::min(wanted, trained) : wanted;
  std::unique_ptr<Draft> draft;
  if (!options.draft_model.empty() && options.guesses > 0) {
    auto made = Draft::create(options.draft_model, *pair,
                              {.max_context = limit, .least_probability = options.draft_certainty});
    if (!made.ok()) return made.status();
    draft = std::move(made).value();
  }
  const KvSetup setup{.type = options.kv_type,
                      .sliding = options.kv_policy != KvPolicy::reread,
                      .attention = options.kv_policy == KvPolicy::saliency};
  auto seat = Scheduler::join(pair, setup, limit, std::max(options.guesses, 0));
  if (!seat.ok()) return seat.status();
  auto calibration = Calibration::of(pair->impl().text.get());
  auto impl = std::unique_ptr<Impl>(new Impl{std::move(pair),
                                             options,
                                             std::move(prompts).value(),
                                             std::move(calibration),
                                             limit,
                                             std::move(draft),
                                             std::move(seat).value(),
                                             {}});
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

const std::string &Session::complaint() const { return impl_->calibration.complaint(); }

EncodedImage Session::words(const std::string &text) const { return {{}, impl_->prompts.words(text)}; }

Result<Answer> Session::ask(const std::string &question, std::span<const EncodedImage> images,
                            std::stop_token stop, const AskOptions &options) {
  Answer answer;
  answer.question = question;
  for (const auto &image : images)
    for (const auto &piece : image.pieces)
      if (piece.tokens && piece.tokens->sense == Sense::sight) {
        answer.visual_tokens_seen += piece.tokens->seen;
        answer.visual_tokens_kept += piece.tokens->count();
      }
  auto request = impl_->request_for(question, images);
  if (!request.ok()) return request.status();
  const int prompt_tokens = cells_of_all(request.value().prompt);
  GenerationOptions generating;
  generating.max_tokens = std::max(
      1, std::min({impl_->options.max_tokens, options.max_tokens, impl_->limit - prompt_tokens + 1}));
  generating.grammar = options.grammar;
  if (const auto last = impl_->last_answers.find(question); last != impl_->last_answers.end())
    generating.guess = last->second;
  Generation generation(*impl_->pair, std::move(generating));
  request.value().generation = &generation;
  request.value().draft = impl_->draft.get();
  request.value().stop = std::move(stop);

  const auto report = impl_->seat->run(request.value(), options.listener);
  if (!report.status.ok()) return report.status;
  if (impl_->options.guesses > 0) impl_->remember(question, generation.tokens());
  answer.attention = attention_to(images, request.value().prompt, report.attention);
  answer.text = without_surrounding_space(generation.text());
  answer.token_log_probabilities = generation.log_probabilities();
  answer.truncated = generation.truncated();
  answer.confidence = impl_->calibration(answer.token_log_probabilities);
  answer.timings.waiting = report.waited;
  answer.timings.prefill = report.prefill;
  answer.timings.decode = report.decode;
  answer.prompt_tokens = prompt_tokens;
  answer.prompt_tokens_read = report.tokens_read;
  answer.tokens_guessed = report.guessed;
  answer.tokens_guessed_right = report.guessed_right;
  return answer;
}

Result<Request> Session::Impl::request_for(const std::string &question,
                                           std::span<const EncodedImage> images) const {
  Request request;
  request.prompt = lay_out(prompts.make(question), images, options.prompt_position);
  if (request.prompt.empty())
    return Status{StatusKind::invalid_argument, "there is nothing to answer: the prompt is empty"};
  if (auto status = check_width(request.prompt, *pair); !status.ok()) return status;
  const int tokens = cells_of_all(request.prompt);
  if (tokens > limit)
    return Status{StatusKind::exhausted, "the prompt does not fit: " + std::to_string(tokens) +
                                             " tokens, and max-context is " + std::to_string(limit)};
  request.reserve = std::min(limit, tokens + options.max_tokens);
  request.sliding = options.kv_policy != KvPolicy::reread;
  request.priority = options.priority;
  return request;
}

void Session::Impl::remember(const std::string &question, const TextTokens &answer) {
  if (last_answers.size() >= kAnswersRemembered && !last_answers.contains(question)) last_answers.clear();
  last_answers[question] = answer;
}

}  // namespace saccade
