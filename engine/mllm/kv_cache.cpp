#include "mllm/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace saccade {
namespace {

// Small enough that a stop waits a few milliseconds on a small model and well under 500 ms on a
// 2-billion-parameter one, large enough to keep the matrix products efficient.
constexpr int kPrefillSlice = 128;

bool same(const Stretch &a, const Stretch &b) { return a == b; }  // pictures: the same object

int positions_of(const TokenSet &tokens, bool mrope) {
  return mrope ? std::max(tokens.grid.rows, tokens.grid.columns) : tokens.count();
}

}  // namespace

Result<std::unique_ptr<KvCache>> KvCache::create(std::shared_ptr<ModelPair> pair, int max_context) {
  auto *model = pair->impl().text.get();
  std::unique_ptr<KvCache> cache(new KvCache());
  auto parameters = llama_context_default_params();
  const int trained = llama_model_n_ctx_train(model);
  cache->limit_ = trained > 0 ? std::min(max_context, trained) : max_context;
  parameters.n_ctx = static_cast<std::uint32_t>(cache->limit_);
  // A picture under non-causal attention must fit into one batch; llama.cpp aborts on larger ones.
  parameters.n_batch = parameters.n_ctx;
  parameters.n_ubatch =
      mtmd_decode_use_non_causal(pair->impl().vision.get(), nullptr) ? parameters.n_ctx : kPrefillSlice;
  parameters.n_seq_max = 1;
  // Logits of the last token only. Room for those of a whole batch is gigabytes with a large vocabulary.
  parameters.n_outputs_max = 1;
  parameters.n_threads = pair->threads();
  parameters.n_threads_batch = parameters.n_threads;
  parameters.swa_full = true;  // without it a sliding window could not be rolled back to a kept start
  parameters.no_perf = true;
  parameters.abort_callback = [](void *user) { return static_cast<KvCache *>(user)->stop_.stop_requested(); };
  parameters.abort_callback_data = cache.get();
  cache->context_.reset(llama_init_from_model(model, parameters));
  if (!cache->context_)
    return Status{StatusKind::exhausted, "cannot make a context of " + std::to_string(parameters.n_ctx) +
                                             " tokens for \"" + pair->files().text +
                                             "\": too little memory? Lower max-context."};
  cache->slice_ = std::min<std::size_t>(kPrefillSlice, llama_n_ubatch(cache->context_.get()));
  cache->mrope_ = mtmd_decode_use_mrope(pair->impl().vision.get());
  cache->pair_ = std::move(pair);
  return cache;
}

Status KvCache::read(std::span<const Stretch> prompt, std::stop_token stop) {
  stop_ = stop;
  std::size_t kept = 0;
  if (auto status = keep_common_start(prompt, &kept); !status.ok()) return status;
  for (std::size_t i = kept; i < prompt.size(); ++i) {
    const auto *text = std::get_if<std::vector<std::int32_t>>(&prompt[i]);
    const bool last = i + 1 == prompt.size();
    const auto status = text ? read_text(*text, last) : read_picture(*std::get<SharedTokens>(prompt[i]));
    if (!status.ok()) {
      forget_everything();  // an aborted batch may be half in the cache
      return status;
    }
    held_.push_back(prompt[i]);
    ends_.push_back(position_);
    cell_ends_.push_back(cells_);
  }
  return {};
}

Status KvCache::read_token(std::int32_t token, std::stop_token stop) {
  stop_ = stop;
  auto status = read_text({&token, 1}, true);
  if (!status.ok()) forget_everything();
  return status;
}

std::span<const float> KvCache::logits() const {
  const auto count = llama_vocab_n_tokens(llama_model_get_vocab(pair_->impl().text.get()));
  const float *values = llama_get_logits_ith(context_.get(), -1);
  return values ? std::span(values, static_cast<std::size_t>(count)) : std::span<const float>();
}

// The last stretch is always read anew: its logits are wanted.
Status KvCache::keep_common_start(std::span<const Stretch> prompt, std::size_t *kept) {
  if (prompt.empty()) return {StatusKind::invalid_argument, "there is nothing to read"};
  std::size_t common = 0;
  while (common + 1 < prompt.size() && common < held_.size() && same(held_[common], prompt[common])) ++common;
  const auto position = common ? ends_[common - 1] : 0;
  if (!llama_memory_seq_rm(llama_get_memory(context_.get()), 0, position, -1)) {
    forget_everything();  // recurrent models cannot go back; they read everything again
    common = 0;
  } else {
    held_.resize(common);
    ends_.resize(common);
    cells_ = common ? cell_ends_[common - 1] : 0;
    cell_ends_.resize(common);
    position_ = position;
  }
  *kept = common;
  return {};
}

Status KvCache::read_text(std::span<const std::int32_t> tokens, bool want_logits) {
  if (static_cast<int>(tokens.size()) > room())
    return {StatusKind::exhausted,
            "the prompt does not fit: " + std::to_string(cells_ + static_cast<int>(tokens.size())) +
                " tokens, and max-context is " + std::to_string(limit_)};
  std::vector<llama_token> slice;
  while (!tokens.empty()) {
    const auto count = std::min(tokens.size(), slice_);
    slice.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
    tokens = tokens.subspan(count);
    std::vector<llama_pos> positions(count * (mrope_ ? 4 : 1), 0);
    // M-RoPE text runs along t, y and x alike; the fourth row stays zero.
    for (std::size_t row = 0; row < (mrope_ ? 3U : 1U); ++row)
      for (std::size_t i = 0; i < count; ++i)
        positions[row * count + i] = position_ + static_cast<llama_pos>(i);
    std::vector<std::int32_t> sequence_counts(count, 1);
    llama_seq_id zero = 0;
    std::vector<llama_seq_id *> sequences(count + 1, &zero);
    sequences[count] = nullptr;
    std::vector<std::int8_t> wanted(count, 0);
    if (want_logits && tokens.empty()) wanted.back() = 1;
    llama_batch batch{};
    batch.n_tokens = static_cast<std::int32_t>(count);
    batch.token = slice.data();
    batch.pos = positions.data();
    batch.n_seq_id = sequence_counts.data();
    batch.seq_id = sequences.data();
    batch.logits = wanted.data();
    if (auto status = decode(batch); !status.ok()) return status;
    position_ += static_cast<llama_pos>(count);
    cells_ += static_cast<int>(count);
  }
  return {};
}

Status KvCache::read_picture(const TokenSet &tokens) {
  const auto count = static_cast<std::size_t>(tokens.count());
  if (tokens.dimension != llama_model_n_embd_inp(pair_->impl().text.get()))
    return {StatusKind::invalid_argument,
            "the picture's tokens have " + std::to_string(tokens.dimension) +
                " numbers each, the model takes " +
                std::to_string(llama_model_n_embd_inp(pair_->impl().text.get())) +
                ": they were made by another model's projector"};
  const bool non_causal = mtmd_decode_use_non_causal(pair_->impl().vision.get(), nullptr);
  if (tokens.count() > room() || (non_causal && count > llama_n_ubatch(context_.get())))
    return {StatusKind::exhausted, "the pictures do not fit: max-context is " + std::to_string(limit_)};
  const std::size_t slice = non_causal ? count : slice_;
  if (non_causal) llama_set_causal_attn(context_.get(), false);
  Status status;
  for (std::size_t first = 0; first < count && status.ok(); first += slice) {
    const auto n = std::min(slice, count - first);
    std::vector<llama_pos> positions(n * (mrope_ ? 4 : 1), 0);
    for (std::size_t i = 0; i < n; ++i) {
      if (!mrope_) {
        positions[i] = position_ + static_cast<llama_pos>(first + i);
        continue;
      }
      const auto &place = tokens.positions[first + i];
      positions[i] = position_;
      positions[n + i] = position_ + static_cast<llama_pos>(std::lround(place.y));
      positions[2 * n + i] = position_ + static_cast<llama_pos>(std::lround(place.x));
    }
    std::vector<std::int32_t> sequence_counts(n, 1);
    llama_seq_id zero = 0;
    std::vector<llama_seq_id *> sequences(n + 1, &zero);
    sequences[n] = nullptr;
    std::vector<std::int8_t> wanted(n, 0);
    llama_batch batch{};
    batch.n_tokens = static_cast<std::int32_t>(n);
    // llama_batch takes a mutable pointer and never writes through it.
    batch.embd =
        const_cast<float *>(tokens.values.data() + first * static_cast<std::size_t>(tokens.dimension));
    batch.pos = positions.data();
    batch.n_seq_id = sequence_counts.data();
    batch.seq_id = sequences.data();
    batch.logits = wanted.data();
    status = decode(batch);
  }
  if (non_causal) llama_set_causal_attn(context_.get(), true);
  if (!status.ok()) return status;
  position_ += positions_of(tokens, mrope_);
  cells_ += tokens.count();
  return {};
}

Status KvCache::decode(llama_batch batch) {
  if (stop_.stop_requested()) return {StatusKind::cancelled, "the answer was stopped"};
  const auto code = llama_decode(context_.get(), batch);
  if (code == 0) return {};
  if (code == 2 || stop_.stop_requested()) return {StatusKind::cancelled, "the answer was stopped"};
  if (code == 1) return {StatusKind::exhausted, "the model's context is full; raise max-context"};
  return {StatusKind::internal,
          "llama.cpp could not evaluate the prompt (code " + std::to_string(code) + ")"};
}

void KvCache::forget_everything() {
  llama_memory_clear(llama_get_memory(context_.get()), false);
  held_.clear();
  ends_.clear();
  cell_ends_.clear();
  position_ = 0;
  cells_ = 0;
}

int KvCache::room() const { return limit_ - cells_; }

}  // namespace saccade
