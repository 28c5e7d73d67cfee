#include "mllm/draft.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "mllm/choice.h"
#include "vision/gguf_check.h"
#include "vision/text_model.h"

namespace saccade {
namespace {

constexpr std::size_t kBatch = 256;  // tokens that are read in one evaluation, as by KvPool

// As llama.cpp's own speculative decoding demands of two vocabularies: models of a family are padded to
// different sizes, and name their first few tokens, none of which is a word, differently.
constexpr std::int32_t kSizesMayDiffer = 128;
constexpr std::int32_t kFirstWord = 5;

Status refused(const std::string &path, const std::string &why) {
  return {StatusKind::unsupported, "cannot use \"" + path + "\" as draft-model: " + why +
                                       ". Set another one, or none to answer without it."};
}

// What is different about the draft's vocabulary; empty where tokens mean the same to both.
std::string difference(const llama_vocab *draft, const llama_vocab *target) {
  if (llama_vocab_type(draft) != llama_vocab_type(target)) return "of another kind";
  const auto size = llama_vocab_n_tokens(draft);
  const auto wanted = llama_vocab_n_tokens(target);
  if (std::abs(size - wanted) > kSizesMayDiffer)
    return std::to_string(size) + " tokens instead of " + std::to_string(wanted);
  const std::pair<const char *, std::int32_t (*)(const llama_vocab *)> special[] = {
      {"start", llama_vocab_bos}, {"end", llama_vocab_eos}};
  for (const auto &[name, token_of] : special)
    if (token_of(draft) != token_of(target))
      return std::string(name) + " token " + std::to_string(token_of(draft)) + " instead of " +
             std::to_string(token_of(target));
  if (llama_vocab_get_add_bos(draft) != llama_vocab_get_add_bos(target) ||
      llama_vocab_get_add_eos(draft) != llama_vocab_get_add_eos(target))
    return "another rule for start and end tokens";
  for (std::int32_t i = kFirstWord; i < std::min(size, wanted); ++i) {
    const char *text = llama_vocab_get_text(draft, i);
    const char *other = llama_vocab_get_text(target, i);
    if (std::strcmp(text, other) != 0)
      return "token " + std::to_string(i) + " is \"" + text + "\" instead of \"" + other + "\"";
  }
  return {};
}

bool can_rewind(const llama_model *model) {
  return !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model);
}

// The copy that is loaded already, or a new one.
Result<std::shared_ptr<llama_model>> shared_model(const std::string &path) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<llama_model>> loaded;
  const auto key = canonical_path(path);
  const std::lock_guard lock(mutex);
  if (auto model = loaded[key].lock()) return model;
  auto made = load_text_model(key);
  if (!made.ok()) return made.status();
  std::shared_ptr<llama_model> model = std::move(made).value();
  loaded[key] = model;
  return model;
}

Status of_draft_model(const Status &status) { return {status.kind(), "draft-model: " + status.message()}; }

}  // namespace

Result<std::unique_ptr<Draft>> Draft::create(const std::string &path, const ModelPair &target,
                                             const DraftOptions &options) {
  if (const auto status = check_text_model(path); !status.ok()) return of_draft_model(status);
  auto loaded = shared_model(path);
  if (!loaded.ok()) return of_draft_model(loaded.status());
  const auto *model = loaded.value().get();
  const auto *answering = target.impl().text.get();
  if (llama_model_has_encoder(model)) return refused(path, "it has an encoder, which nobody feeds");
  if (!can_rewind(model))
    return refused(path, "it is recurrent or hybrid and cannot take back what it guessed wrong");
  if (!can_rewind(answering))
    return refused(path, "\"" + target.files().text +
                             "\" is recurrent or hybrid and cannot take back what was guessed wrong");
  const auto *vocabulary = llama_model_get_vocab(model);
  const auto *wanted = llama_model_get_vocab(answering);
  if (const auto what = difference(vocabulary, wanted); !what.empty())
    return refused(path, "its vocabulary is not that of \"" + target.files().text + "\" (" + what + ")");

  const auto shared = std::min(llama_vocab_n_tokens(vocabulary), llama_vocab_n_tokens(wanted));
  const int threads = threads_for(model, target.files().threads);
  const int trained = llama_model_n_ctx_train(model);
  std::unique_ptr<Draft> draft(new Draft(std::move(loaded).value(), shared, options.least_probability));
  const int cells = std::max(1, trained > 0 ? std::min(trained, options.max_context) : options.max_context);
  auto status = draft->open(cells, threads);
  if (status.kind() == StatusKind::unavailable)
    return Status{status.kind(), "cannot make a context of " + std::to_string(cells) +
                                     " tokens for draft-model \"" + path +
                                     "\": too little memory? Lower max-context."};
  if (!status.ok()) return refused(path, status.message());
  return draft;
}

Status Draft::open(int max_context, int threads) {
  auto parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(max_context);
  parameters.n_batch = parameters.n_ubatch = kBatch;
  parameters.n_seq_max = 1;
  parameters.n_outputs_max = parameters.n_outputs_max_per_seq = 1;
  parameters.n_threads = parameters.n_threads_batch = threads;
  parameters.swa_full = true;  // without it a sliding window could not be rolled back
  parameters.no_perf = true;
  parameters.abort_callback = [](void *user) {
    return static_cast<const Draft *>(user)->stop_.stop_requested();
  };
  parameters.abort_callback_data = this;
  context_.reset(llama_init_from_model(model_.get(), parameters));
  if (!context_) return {StatusKind::unavailable, "no memory"};
  if (!llama_get_memory(context_.get()))
    return {StatusKind::unsupported, "it does not generate text from left to right"};
  return {};
}

TextTokens Draft::guess(std::span<const Stretch> prompt, const TextTokens &said, std::size_t most,
                        const std::stop_token &stop) {
  TextTokens words;
  for (const auto &stretch : prompt)
    if (const auto *text = std::get_if<TextTokens>(&stretch))
      words.insert(words.end(), text->begin(), text->end());
  words.insert(words.end(), said.begin(), said.end());
  const auto known = [this](std::int32_t token) { return token < shared_tokens_; };
  if (most == 0 || words.empty() || !std::ranges::all_of(words, known)) return {};

  stop_ = stop;
  const auto *vocabulary = llama_model_get_vocab(model_.get());
  const auto entries = static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary));
  TextTokens guessed;
  while (guessed.size() < most && read(words)) {
    const float *logits = llama_get_logits_ith(context_.get(), -1);
    if (!logits) break;
    const auto choice = choose_greedily({logits, entries});
    if (choice.log_probability < std::log(least_probability_) || !known(choice.token) ||
        llama_vocab_is_eog(vocabulary, choice.token))
      break;
    guessed.push_back(choice.token);
    words.push_back(choice.token);
  }
  stop_ = {};
  return guessed;
}

// Makes the cache hold exactly `words`, with logits behind the last; false where it cannot. What it holds of
// them already is not read again, but for the last.
bool Draft::read(const TextTokens &words) {
  if (words.size() > llama_n_ctx(context_.get()) || stop_.stop_requested()) return false;
  const auto alike = static_cast<std::size_t>(std::ranges::mismatch(held_, words).in1 - held_.begin());
  held_.resize(std::min(alike, words.size() - 1));
  // Also what a failed evaluation may have left behind.
  if (!llama_memory_seq_rm(llama_get_memory(context_.get()), 0, static_cast<llama_pos>(held_.size()), -1)) {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    held_.clear();
  }
  while (held_.size() < words.size()) {
    const auto next = std::span(words).subspan(held_.size());
    TextTokens slice(next.begin(), next.begin() + static_cast<std::ptrdiff_t>(std::min(next.size(), kBatch)));
    const auto batch = llama_batch_get_one(slice.data(), static_cast<std::int32_t>(slice.size()));
    if (llama_decode(context_.get(), batch) != 0) return false;
    held_.insert(held_.end(), slice.begin(), slice.end());
  }
  return true;
}

}  // namespace saccade
