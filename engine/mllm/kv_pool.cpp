#include "mllm/kv_pool.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string>

#include "mllm/batch_arrays.h"

namespace saccade {
namespace {

constexpr int kBatch = 256;

// About a third of a second: a core gets through 3e10 a second, tokens times parameters (SmolVLM-256M's
// shape, q8_0: 128 tokens in 0.65 s). Below 16 the matrix products become inefficient.
std::size_t slice_for(const llama_model *model, int threads) {
  const double parameters = std::max(1.0, static_cast<double>(llama_model_n_params(model)));
  return static_cast<std::size_t>(std::clamp(1e10 * threads / parameters, 16.0, 128.0));
}

ggml_type ggml_type_of(KvType type) {
  switch (type) {
    case KvType::f16: return GGML_TYPE_F16;
    case KvType::q8_0: return GGML_TYPE_Q8_0;
    case KvType::q4_0: return GGML_TYPE_Q4_0;
  }
  return GGML_TYPE_F16;
}

int head_size(const llama_model *model) {
  char text[128] = {};
  if (llama_model_meta_val_str(model, "general.architecture", text, sizeof text) > 0) {
    const auto key = std::string(text) + ".attention.key_length";
    if (llama_model_meta_val_str(model, key.c_str(), text, sizeof text) > 0) return std::atoi(text);
  }
  return llama_model_n_embd(model) / std::max(1, llama_model_n_head(model));
}

// llama.cpp aborts on a quantised cache of other head sizes.
Status check_head_size(const llama_model *model, const std::string &file) {
  const int size = head_size(model);
  if (size % 32 == 0) return {};
  return {StatusKind::unsupported, "kv-type: \"" + file + "\" has attention heads of " +
                                       std::to_string(size) +
                                       " numbers, and a quantised cache wants multiples of 32. Set f16."};
}

constexpr double kMostScores = 32 << 20;  // bytes that plain attention may take for its scores

// libllama's tiled attention wants 64 tokens at a time, and takes up to twice as long for fewer as plain
// attention does, the more is held the longer: with windows of 4 and 8 that slide plain attention reads a
// picture and its question 1.2 to 1.4 times faster, with one picture it loses as much (session_bench prefill,
// kv_bench). With several lanes each would be weighed against all others' cells, and it loses 2 to 3 times.
llama_flash_attn_type attention_for(const llama_model *model, const KvSetup &setup, const KvPoolSize &size,
                                    int batch) {
  if (setup.attention) return LLAMA_FLASH_ATTN_TYPE_DISABLED;  // the other never writes its weights down
  const double scores = 4.0 * size.cells * batch * llama_model_n_head(model);
  const bool plain = setup.sliding && setup.type == KvType::f16 && size.lanes == 1 && scores <= kMostScores;
  return plain ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
}

// Not a sound's tokens, whose order is that of time.
bool is_picture(const Stretch &stretch) {
  const auto *tokens = std::get_if<SharedTokens>(&stretch);
  return tokens && (*tokens)->sense == Sense::sight;
}

bool all_asked_to_stop(std::span<const std::stop_token> stops) {
  return !stops.empty() && std::ranges::all_of(stops, [](const auto &stop) { return stop.stop_requested(); });
}

}  // namespace

Result<std::unique_ptr<KvPool>> KvPool::create(std::shared_ptr<ModelPair> pair, const KvSetup &setup,
                                               const KvPoolSize &size) {
  const auto *model = pair->impl().text.get();
  if (setup.type != KvType::f16 && setup.attention)
    return Status{
        StatusKind::invalid_argument,
        "kv-policy=saliency reads attention, which is never written down for a quantised cache. Set "
        "kv-type=f16."};
  if (setup.type != KvType::f16)
    if (auto status = check_head_size(model, pair->files().text); !status.ok()) return status;
  std::unique_ptr<KvPool> pool(new KvPool());
  pool->setup_ = setup;
  const int trained = llama_model_n_ctx_train(model);
  pool->slice_ = slice_for(model, pair->threads());
  pool->trained_ = trained > 0 ? trained : 1 << 20;
  pool->mrope_ = mtmd_decode_use_mrope(pair->impl().vision.get());
  pool->non_causal_ = mtmd_decode_use_non_causal(pair->impl().vision.get(), nullptr);
  pool->guarded_ = llama_model_n_swa(model) > 0;
  pool->rewindable_ = !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model);
  // Without a cache that can be cut there is nothing to choose by attention.
  if (setup.attention && pool->rewindable_) pool->watch_ = std::make_unique<AttentionWatch>();
  pool->pair_ = std::move(pair);
  if (auto status = pool->resize(size); !status.ok()) return status;
  return pool;
}

Status KvPool::resize(const KvPoolSize &size) {
  // The old one first: both at once might not fit into memory.
  context_.reset();
  lanes_.assign(static_cast<std::size_t>(size.lanes), {});
  moving_ = false;
  size_ = size;
  // llama.cpp aborts when a picture that is read at a glance is larger than a batch.
  const int batch = std::max({kBatch, size.lanes * size.outputs_per_lane, non_causal_ ? size.picture : 0});
  batch_ = static_cast<std::size_t>(batch);
  auto parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(size.cells);
  parameters.n_batch = parameters.n_ubatch = static_cast<std::uint32_t>(batch);
  const auto sequences = static_cast<std::uint32_t>(size.lanes * (guarded_ ? 2 : 1));
  parameters.n_seq_max = sequences;
  parameters.kv_unified = true;
  // Room for logits of a whole batch is gigabytes with a large vocabulary.
  parameters.n_outputs_max = sequences * static_cast<std::uint32_t>(size.outputs_per_lane);
  parameters.n_outputs_max_per_seq = static_cast<std::uint32_t>(size.outputs_per_lane);
  parameters.n_threads = parameters.n_threads_batch = pair_->threads();
  parameters.type_k = parameters.type_v = ggml_type_of(setup_.type);
  parameters.swa_full = true;  // without it a sliding window could not be rolled back
  parameters.no_perf = true;
  parameters.abort_callback = [](void *user) {
    const auto *pool = static_cast<const KvPool *>(user);
    return !pool->moving_ && all_asked_to_stop(pool->stops_);
  };
  parameters.abort_callback_data = this;
  parameters.flash_attn_type = attention_for(pair_->impl().text.get(), setup_, size, batch);
  if (watch_) {
    parameters.cb_eval = &AttentionWatch::callback;
    parameters.cb_eval_user_data = watch_.get();
  }
  context_.reset(llama_init_from_model(pair_->impl().text.get(), parameters));
  if (context_) return {};
  return {StatusKind::unavailable, "cannot make a context of " + std::to_string(size.cells) +
                                       " tokens for \"" + pair_->files().text +
                                       "\": too little memory? Lower max-context."};
}

// --- what a lane holds ----------------------------------------------------------------------------------

Kept KvPool::keep(int lane, std::span<const Stretch> prompt, bool sliding, int more) {
  auto &own = lane_at(lane);
  std::size_t common = 0;
  while (common + 1 < prompt.size() && common < own.held.size() && own.held[common].stretch == prompt[common])
    ++common;
  if (sliding && rewindable_ && common > 0) common = slide(lane, prompt, common);
  std::size_t tokens = 0;
  if (common == 0 && prompt.size() > 1) {
    clear(lane);
    share_opening(lane, prompt.front());
  } else {
    tokens = keep_beginning(lane, common, prompt[common]);
    if (tokens == 0) drop_behind(lane, common);
  }
  common = own.held.size();
  const int needed = cells_of_all(prompt.subspan(common)) + more;
  if (own.position + needed - static_cast<int>(tokens) <= highest_position()) return {common, tokens};
  drop_behind(lane, common);
  if (compact(lane, needed)) return {common, 0};
  clear(lane);
  return {};
}

// Of the first stretch that differs, what has not changed at its beginning: the rows of a picture that lie
// above the change, for a partial encode leaves their tokens as they were, to the bit; and attention never
// looks ahead. Gives the number of tokens that stay as the lane's loose end.
std::size_t KvPool::keep_beginning(int lane, std::size_t held, const Stretch &next) {
  auto &own = lane_at(lane);
  if (!rewindable_ || watch_ || held == 0 || held >= own.held.size()) return 0;
  const auto &before = own.held[held].stretch;
  const auto begin = own.held[held].begin;
  if (on_grid(before) || at_a_glance(before)) return 0;
  const auto most = static_cast<std::size_t>(std::max(0, cells_of(next) - 1));
  const auto tokens = std::min(alike_at_start(before, next), most);
  if (tokens == 0) return 0;
  const auto position = begin + static_cast<llama_pos>(tokens);
  if (!cut(lane, position, -1)) return 0;
  own.held.resize(held);
  own.position = position;
  own.cells = static_cast<int>(tokens);
  for (const auto &kept : own.held) own.cells += cells_of(kept.stretch);
  return tokens;
}

// Everything behind the first `held` stretches goes.
void KvPool::drop_behind(int lane, std::size_t held) {
  auto &own = lane_at(lane);
  const auto position = held ? own.held[held - 1].end : 0;
  if (held == own.held.size() && own.position == position) return;
  if (!cut(lane, position, -1)) return clear(lane);  // recurrent: all or nothing
  own.held.resize(held);
  own.loose.clear();
  own.position = position;
  own.cells = 0;
  for (const auto &kept : own.held) own.cells += cells_of(kept.stretch);
}

// After a failed evaluation, when part of a batch may be in the cache.
void KvPool::forget_loose_end(int lane) {
  if (!rewindable_) return clear(lane);
  auto &own = lane_at(lane);
  own.position = -1;
  drop_behind(lane, own.held.size());
}

// Cells of another lane that has read the same opening are this lane's as well: they are never moved, since
// nothing lies before them, and live for as long as one of the lanes has them.
void KvPool::share_opening(int lane, const Stretch &opening) {
  if (!rewindable_ || !std::holds_alternative<TextTokens>(opening)) return;
  for (std::size_t other = 0; other < lanes_.size(); ++other) {
    const auto &theirs = lanes_[other].held;
    if (static_cast<int>(other) == lane || theirs.empty() || theirs.front().stretch != opening) continue;
    llama_memory_seq_cp(memory(), static_cast<llama_seq_id>(other), lane, 0, theirs.front().end);
    guard(lane, 0, theirs.front().end);
    auto &own = lane_at(lane);
    own.held = {theirs.front()};  // and its places
    own.position = theirs.front().end;
    own.cells = cells_of(opening);
    return;
  }
}

// Cuts out what stands between the common start and the first picture that the prompt goes on with.
std::size_t KvPool::slide(int lane, std::span<const Stretch> prompt, std::size_t common) {
  auto &held = lane_at(lane).held;
  if (common >= held.size() || !std::holds_alternative<SharedTokens>(prompt[common])) return common;
  const auto is_next = [&](const Held &one) { return one.stretch == prompt[common]; };
  const auto next = std::find_if(held.begin() + static_cast<std::ptrdiff_t>(common), held.end(), is_next);
  if (next == held.end()) return common;
  const auto from = held[common - 1].end;
  if (!cut(lane, from, next->begin)) return common;
  held.erase(held.begin() + static_cast<std::ptrdiff_t>(common), next);
  while (common + 1 < prompt.size() && common < held.size() && held[common].stretch == prompt[common])
    ++common;
  return common;
}

// Whether the lane can take `needed` more positions: cells behind a hole are moved up to it when they are in
// the way of that. Lazily, since llama.cpp rotates every key of the cache anew for it.
bool KvPool::compact(int lane, int needed) {
  auto &own = lane_at(lane);
  if (own.position + needed <= highest_position()) return true;
  if (!llama_memory_can_shift(memory())) return own.held.empty();
  llama_pos end = 0;
  for (auto &one : own.held) {
    const auto shift = end - one.begin;
    if (shift != 0) llama_memory_seq_add(memory(), lane, one.begin, one.end, shift);
    if (shift != 0 && guarded_) llama_memory_seq_add(memory(), guard_of(lane), one.begin, one.end, shift);
    one.begin += shift;
    one.end += shift;
    end = one.end;
  }
  if (own.position != end) moving_ = true;
  own.position = end;
  return true;
}

bool KvPool::cut(int lane, llama_pos from, llama_pos to) {
  if (guarded_) llama_memory_seq_rm(memory(), guard_of(lane), from, to);
  return llama_memory_seq_rm(memory(), lane, from, to);
}

void KvPool::guard(int lane, llama_pos begin, llama_pos end) {
  if (guarded_) llama_memory_seq_cp(memory(), lane, guard_of(lane), begin, end);
}

int KvPool::most_lanes() const {
  return static_cast<int>(llama_max_parallel_sequences()) / (guarded_ ? 2 : 1);
}

void KvPool::hold(int lane, const Stretch &stretch) {
  auto &own = lane_at(lane);
  guard(lane, own.position - positions_of(stretch), own.position);
  own.held.push_back({stretch, own.position - positions_of(stretch), own.position, std::move(own.loose)});
  own.loose.clear();
}

void KvPool::rewind(int lane, int count) {
  if (count <= 0) return;
  auto &own = lane_at(lane);
  own.position -= count;
  own.cells -= count;
  cut(lane, own.position, -1);
}

void KvPool::clear(int lane) {
  cut(lane, -1, -1);
  lane_at(lane) = {};
}

bool KvPool::on_grid(const Stretch &stretch) const { return mrope_ && is_picture(stretch); }

bool KvPool::at_a_glance(const Stretch &stretch) const { return non_causal_ && is_picture(stretch); }

llama_pos KvPool::positions_of(const Stretch &stretch) const {
  if (!on_grid(stretch)) return cells_of(stretch);
  const auto &grid = std::get<SharedTokens>(stretch)->grid;
  return std::max(grid.rows, grid.columns);
}

// --- reading --------------------------------------------------------------------------------------------

namespace {

llama_pos rounded(float place) { return static_cast<llama_pos>(std::lround(place)); }

}  // namespace

Status KvPool::read(std::span<const Slice> slices, std::span<const std::stop_token> stops) {
  stops_ = stops;
  outputs_.clear();
  Status status;
  if (!context_) status = {StatusKind::unavailable, "there is no memory for the model's context"};
  // What is read at a glance, and what in its order, cannot be read together.
  for (const bool at_once : {false, true})
    if (status.ok()) status = decode(slices, at_once);
  if (!status.ok() && all_asked_to_stop(stops)) status = {StatusKind::cancelled, "the answer was stopped"};
  stops_ = {};
  if (!status.ok()) {
    if (context_)
      for (const auto &slice : slices) forget_loose_end(slice.lane);
    return status;
  }
  for (const auto &slice : slices) {
    auto &own = lane_at(slice.lane);
    const bool complete = slice.first + slice.count == static_cast<std::size_t>(cells_of(*slice.stretch));
    own.cells += static_cast<int>(slice.count);
    if (!on_grid(*slice.stretch))
      own.position += static_cast<llama_pos>(slice.count);
    else if (complete)
      own.position += positions_of(*slice.stretch);
  }
  return {};
}

// Those of the slices that are read at a glance, or the others.
Status KvPool::decode(std::span<const Slice> slices, bool at_once) {
  BatchArrays arrays(mrope_);
  for (const auto &slice : slices) {
    if (at_a_glance(*slice.stretch) != at_once) continue;
    const auto start = lane_at(slice.lane).position;
    const auto *words = std::get_if<TextTokens>(slice.stretch);
    for (std::size_t i = slice.first; i < slice.first + slice.count; ++i) {
      const bool wanted = i + slice.logits >= slice.first + slice.count;
      if (wanted) outputs_.push_back(static_cast<int>(arrays.lanes.size()));
      if (on_grid(*slice.stretch)) {
        const auto &place = std::get<SharedTokens>(*slice.stretch)->positions[i];
        arrays.add(slice.lane, start, start + rounded(place.y), start + rounded(place.x), wanted);
      } else {
        const auto at = start + static_cast<llama_pos>(i - slice.first);
        arrays.add(slice.lane, at, at, at, wanted);
      }
      if (words) arrays.tokens.push_back((*words)[i]);
    }
    if (words) continue;
    const auto &set = *std::get<SharedTokens>(*slice.stretch);
    const auto width = static_cast<std::size_t>(set.dimension);
    const auto from = set.values.begin() + static_cast<std::ptrdiff_t>(slice.first * width);
    arrays.values.insert(arrays.values.end(), from, from + static_cast<std::ptrdiff_t>(slice.count * width));
  }
  if (arrays.lanes.empty()) return {};
  if (all_asked_to_stop(stops_)) return {StatusKind::cancelled, "the answer was stopped"};
  watch(slices, at_once);
  if (at_once) llama_set_causal_attn(context_.get(), false);
  const auto code = decode_arrays(context_.get(), arrays);
  if (at_once) llama_set_causal_attn(context_.get(), true);
  switch (code) {
    case 0:
      moving_ = false;
      learn_places(slices, at_once);
      return {};
    case 1: return {StatusKind::unavailable, "the model's context is full; raise max-context"};
    case 2: return {StatusKind::cancelled, "the answer was stopped"};
    default:
      return {StatusKind::internal,
              "llama.cpp could not evaluate the prompt (code " + std::to_string(code) + ")"};
  }
}

// --- what is attended to ----------------------------------------------------------------------------------

void KvPool::watch(std::span<const Slice> slices, bool at_once) {
  if (!watch_) return;
  std::vector<AttentionWatch::Rows> rows;
  std::size_t first = 0;
  for (const auto &slice : slices) {
    if (at_a_glance(*slice.stretch) != at_once) continue;
    if (!slice.of_answer) rows.push_back({first, slice.count, slice.logits > 0});
    first += slice.count;
  }
  watch_->begin(std::move(rows));
}

// Which cells llama.cpp has put tokens into it does not say; but a lane's last token may attend to those
// that the lane had before, and to the new ones.
void KvPool::learn_places(std::span<const Slice> slices, bool at_once) {
  if (!watch_) return;
  auto seen = watch_->end();
  std::size_t i = 0;
  for (const auto &slice : slices) {
    if (at_a_glance(*slice.stretch) != at_once || slice.of_answer) continue;
    auto &own = lane_at(slice.lane);
    auto known = own.loose;
    for (const auto &one : own.held) known.insert(known.end(), one.places.begin(), one.places.end());
    std::ranges::sort(known);
    std::ranges::set_difference(seen[i].cells, known, std::back_inserter(own.loose));
    std::ranges::sort(own.loose);
    if (slice.logits > 0) own.weights = std::move(seen[i].weights);
    ++i;
  }
}

std::vector<float> KvPool::attention(int lane) const {
  const auto &own = lanes_[static_cast<std::size_t>(lane)];
  std::vector<float> shares;
  if (own.weights.empty()) return shares;
  for (const auto &one : own.held) {
    float share = 0;
    for (const int place : one.places)
      if (const auto at = static_cast<std::size_t>(place); at < own.weights.size()) share += own.weights[at];
    shares.push_back(share);
  }
  return shares;
}

std::span<const float> KvPool::logits(std::size_t i) const {
  const auto count = llama_vocab_n_tokens(llama_model_get_vocab(pair_->impl().text.get()));
  const float *values = i < outputs_.size() ? llama_get_logits_ith(context_.get(), outputs_[i]) : nullptr;
  return values ? std::span(values, static_cast<std::size_t>(count)) : std::span<const float>();
}

}  // namespace saccade
