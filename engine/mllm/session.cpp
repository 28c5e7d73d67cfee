#include "mllm/session.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
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

// What the last turn says in words: what a question is known by.
TextTokens words_of_last(std::span<const Turn> conversation) {
  TextTokens words;
  for (const auto &part : conversation.back().content)
    if (part.pieces.empty()) words.insert(words.end(), part.closing.begin(), part.closing.end());
  return words;
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

// Of each part of the conversation: the attention to its pictures. shares: of each stretch of the prompt;
// empty when unknown.
std::vector<float> attention_to(std::span<const Turn> conversation, std::span<const Stretch> prompt,
                                std::span<const float> shares) {
  std::vector<float> sums;
  if (shares.size() < prompt.size()) return sums;
  std::size_t at = 0;
  for (const auto &turn : conversation)
    for (const auto &part : turn.content) {
      sums.push_back(0);
      for (const auto &piece : part.pieces) {
        if (!piece.tokens || piece.tokens->count() == 0) continue;
        while (!std::holds_alternative<SharedTokens>(prompt[at])) ++at;
        sums.back() += shares[at++];
      }
    }
  return sums;
}

void count_visual_tokens(std::span<const Turn> conversation, Answer &answer) {
  for (const auto &turn : conversation)
    for (const auto &part : turn.content)
      for (const auto &piece : part.pieces)
        if (piece.tokens && piece.tokens->sense == Sense::sight) {
          answer.visual_tokens_seen += piece.tokens->seen;
          answer.visual_tokens_kept += piece.tokens->count();
        }
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
  std::map<TextTokens, TextTokens> last_answers;  // by question

  // Of an answer that begins so; with a grammar the white space that others begin with has no place.
  TextTokens answer_words(const std::string &text, const AskOptions &asking) const {
    return prompts.words(asking.grammar ? text : prompts.lead() + text);
  }
  GenerationOptions generating_for(const TextTokens &question, const AskOptions &asking) const;
  Result<Request> request_for(std::span<const Turn> conversation, const AskOptions &asking,
                              GenerationOptions &generating) const;
  Status check_fits(int tokens) const;
  void remember(const TextTokens &question, const TextTokens &answer);
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<ModelPair> pair,
                                                 const SessionOptions &options) {
  auto prompts = PromptMaker::create(pair, options.chat_template);
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

Status Session::check_fits(int tokens) const { return impl_->check_fits(tokens); }

Result<Answer> Session::ask(const std::string &question, std::span<const EncodedImage> images,
                            std::stop_token stop, const AskOptions &options) {
  std::vector<EncodedImage> content(images.begin(), images.end());
  const bool before = impl_->options.prompt_position == PromptPosition::before;
  content.insert(before ? content.begin() : content.end(), words(question));
  std::vector<Turn> conversation;
  conversation.push_back({Role::user, std::move(content)});
  auto made = answer(std::move(conversation), std::move(stop), options);
  if (!made.ok()) return made;
  made.value().question = question;
  // Of the images alone.
  if (auto &shares = made.value().attention; !shares.empty()) {
    const auto end = shares.end() - (before ? 0 : 1);
    shares = {end - static_cast<std::ptrdiff_t>(images.size()), end};
  }
  return made;
}

Result<Answer> Session::answer(std::vector<Turn> conversation, std::stop_token stop,
                               const AskOptions &options) {
  if (conversation.empty())
    return Status{StatusKind::invalid_argument, "there is nothing to answer: the conversation is empty"};
  if (!impl_->options.system_prompt.empty() && conversation.front().role != Role::system)
    conversation.insert(conversation.begin(), {Role::system, {words(impl_->options.system_prompt)}});
  Answer answer;
  count_visual_tokens(conversation, answer);
  const auto question = words_of_last(conversation);
  auto generating = impl_->generating_for(question, options);
  auto request = impl_->request_for(conversation, options, generating);
  if (!request.ok()) return request.status();
  Generation generation(*impl_->pair, std::move(generating));
  request.value().generation = &generation;
  request.value().draft = impl_->draft.get();
  request.value().stop = std::move(stop);

  const auto report = impl_->seat->run(request.value(), options.listener);
  if (!report.status.ok()) return report.status;
  if (impl_->options.guesses > 0) impl_->remember(question, generation.tokens());
  answer.attention = attention_to(conversation, request.value().prompt, report.attention);
  answer.text = options.beginning.empty() ? trimmed(generation.text()) : generation.text();
  answer.token_log_probabilities = generation.log_probabilities();
  answer.beginning = generation.beginning();
  answer.tokens = generation.records();
  answer.hesitation = generation.hesitation();
  answer.truncated = generation.truncated();
  answer.confidence = impl_->calibration(answer.token_log_probabilities);
  answer.timings.waiting = report.waited;
  answer.timings.prefill = report.prefill;
  answer.timings.decode = report.decode;
  answer.prompt_tokens = cells_of_all(request.value().prompt);
  answer.prompt_tokens_read = report.tokens_read;
  answer.tokens_guessed = report.guessed;
  answer.tokens_guessed_right = report.guessed_right;
  return answer;
}

GenerationOptions Session::Impl::generating_for(const TextTokens &question, const AskOptions &asking) const {
  GenerationOptions generating;
  generating.max_tokens = std::min(options.max_tokens, asking.max_tokens);
  generating.grammar = asking.grammar;
  generating.alternatives = asking.alternatives;
  if (!asking.beginning.empty()) generating.beginning = answer_words(asking.beginning, asking);
  const auto last = last_answers.find(question);
  if (!asking.prediction.empty())
    generating.guess = answer_words(asking.beginning + asking.prediction, asking);
  else if (last != last_answers.end())
    generating.guess = last->second;
  return generating;
}

// Cuts generating.max_tokens to what there is room for.
Result<Request> Session::Impl::request_for(std::span<const Turn> conversation, const AskOptions &asking,
                                           GenerationOptions &generating) const {
  auto prompt =
      prompts.lay_out(conversation, asking.beginning.empty() ? AnswerStart::anew : AnswerStart::continued);
  if (!prompt.ok()) return prompt.status();
  Request request;
  request.prompt = std::move(prompt).value();
  if (request.prompt.empty())
    return Status{StatusKind::invalid_argument, "there is nothing to answer: the prompt is empty"};
  if (auto status = check_width(request.prompt, *pair); !status.ok()) return status;
  const int tokens = cells_of_all(request.prompt) + static_cast<int>(generating.beginning.size());
  if (auto status = check_fits(tokens); !status.ok()) return status;
  generating.max_tokens = std::max(1, std::min(generating.max_tokens, limit - tokens + 1));
  request.reserve = std::min(limit, tokens + generating.max_tokens);
  request.sliding = options.kv_policy != KvPolicy::reread;
  request.priority = options.priority;
  return request;
}

Status Session::Impl::check_fits(int tokens) const {
  if (tokens <= limit) return {};
  return {StatusKind::exhausted, "the prompt does not fit: it takes " + std::to_string(tokens) +
                                     " tokens or more, and max-context is " + std::to_string(limit)};
}

void Session::Impl::remember(const TextTokens &question, const TextTokens &answer) {
  if (last_answers.size() >= kAnswersRemembered && !last_answers.contains(question)) last_answers.clear();
  last_answers[question] = answer;
}

}  // namespace saccade
