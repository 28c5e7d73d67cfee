// One llama_context that many sessions share, and what each of them has read. Internal to mllm.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/status.h"
#include "mllm/attention_watch.h"
#include "mllm/kv_type.h"
#include "mllm/stretch.h"
#include "vision/llama_handles.h"

namespace saccade {

struct KvPoolSize {
  int lanes = 1;             // sessions that may hold something at once
  int cells = 0;             // tokens that all of them together may hold
  int outputs_per_lane = 1;  // tokens of one lane whose logits may be asked for at once
  int picture = 0;  // tokens of the largest picture; only models that read a picture at a glance mind

  bool operator==(const KvPoolSize &) const = default;
};

// A part of a stretch, to be read by one lane.
struct Slice {
  int lane = 0;
  const Stretch *stretch = nullptr;
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t logits = 0;  // of how many tokens at its end they are wanted
  bool of_answer = false;  // never held, and what it attends to is nobody's question
};

// The beginning of a prompt that a lane has read already.
struct Kept {
  std::size_t stretches = 0;  // all of them,
  std::size_t tokens = 0;     // and of the next one its beginning, never all of it
};

// A lane is one sequence of the context: stretches that it holds for good, and behind them a loose end
// (a stretch that is half read, an answer's own words) that the next prompt takes away.
// Used by one thread at a time.
class KvPool {
 public:
  // Errors: unavailable (memory), unsupported, invalid_argument (the setup).
  static Result<std::unique_ptr<KvPool>> create(std::shared_ptr<ModelPair> pair, const KvSetup &setup,
                                                const KvPoolSize &size);

  const KvPoolSize &size() const { return size_; }
  // Forgets everything. After an error (unavailable: memory) nothing can be read until it succeeds with some
  // size.
  Status resize(const KvPoolSize &size);

  // How many a pool of this model may have.
  int most_lanes() const;
  // Tokens that may be read in one read(); every picture fits in for models that read them at a glance.
  std::size_t batch() const { return batch_; }
  // Tokens of prompts that should be read in one: for longer, a stop or somebody else's next word would wait.
  // A matter of the model's size and threads alone, so that what a prompt is cut into does not change from
  // run to run.
  std::size_t slice() const { return slice_; }
  // Positions that a lane may use: what the model was trained for, never more than its cells.
  int trained_context() const { return trained_; }
  bool reads_pictures_whole() const { return non_causal_; }
  bool can_rewind() const { return rewindable_; }

  // Makes `lane` hold a beginning of `prompt`, as long as what it held allows, with room for `more` tokens
  // behind the prompt. The last stretch is never held: its logits are wanted. sliding: pictures that have
  // left from the front may be cut out, although those behind them were read in their presence.
  Kept keep(int lane, std::span<const Stretch> prompt, bool sliding, int more);

  // Reads slices of different lanes at once, all of them text or none of them, batch() tokens at most; a
  // slice goes on where its lane's loose end stops. stops: of everybody concerned; the evaluation is broken
  // off when all of them ask for it. On an error (cancelled, internal, unavailable: the cache is full) every
  // lane in it is back at a stretch that it held, maybe none.
  Status read(std::span<const Slice> slices, std::span<const std::stop_token> stops);

  // The loose end of the lane is `stretch`, all of it, and held from now on.
  void hold(int lane, const Stretch &stretch);
  // Takes the last `count` text tokens off the loose end; only where can_rewind().
  void rewind(int lane, int count);
  void clear(int lane);

  // Where the lane's next token will stand; with trained_context() or cells below it plus what is to come,
  // keep() moves the lane's cells to lower positions.
  int position(int lane) const { return lanes_[static_cast<std::size_t>(lane)].position; }
  // For each stretch held: the share of the attention of the last words whose logits were wanted that fell on
  // it, of all heads, layers and these words. Empty unless KvSetup::attention, and for models that cannot
  // rewind.
  std::vector<float> attention(int lane) const;

  int cells(int lane) const { return lanes_[static_cast<std::size_t>(lane)].cells; }
  // Logits of the i-th output of the last read, one per vocabulary entry; valid until the next read.
  std::span<const float> logits(std::size_t i) const;

 private:
  struct Held {
    Stretch stretch;
    llama_pos begin = 0;
    llama_pos end = 0;
    std::vector<int> places{};  // of its cells in the cache, ascending; only where attention is watched
  };
  struct Lane {
    std::vector<Held> held;
    llama_pos position = 0;  // of the next token
    int cells = 0;
    // Where attention is watched: the places of the loose end's cells, and what attends to each of the
    // cache's.
    std::vector<int> loose{};
    std::vector<float> weights{};
  };

  KvPool() = default;
  llama_memory_t memory() const { return llama_get_memory(context_.get()); }
  llama_seq_id guard_of(int lane) const { return size_.lanes + lane; }
  bool cut(int lane, llama_pos from, llama_pos to);
  void guard(int lane, llama_pos begin, llama_pos end);
  Lane &lane_at(int lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  void drop_behind(int lane, std::size_t held);
  std::size_t keep_beginning(int lane, std::size_t held, const Stretch &next);
  void forget_loose_end(int lane);
  void share_opening(int lane, const Stretch &opening);
  std::size_t slide(int lane, std::span<const Stretch> prompt, std::size_t common);
  bool compact(int lane, int needed);
  int highest_position() const { return std::min(trained_, size_.cells); }
  bool on_grid(const Stretch &stretch) const;      // whether its positions are places in a picture
  bool at_a_glance(const Stretch &stretch) const;  // whether all of it is read at once, each token seeing all
  llama_pos positions_of(const Stretch &stretch) const;
  Status decode(std::span<const Slice> slices, bool at_once);
  void watch(std::span<const Slice> slices, bool at_once);
  void learn_places(std::span<const Slice> slices, bool at_once);

  std::shared_ptr<ModelPair> pair_;
  KvSetup setup_;
  std::unique_ptr<AttentionWatch> watch_;  // where attention is watched; the context calls it
  KvPoolSize size_;
  LlamaContextHandle context_;
  std::span<const std::stop_token> stops_;  // of the read under way; llama.cpp itself asks while it computes
  std::size_t batch_ = 0;
  std::size_t slice_ = 0;
  int trained_ = 0;
  bool mrope_ = false;
  bool non_causal_ = false;
  bool rewindable_ = true;
  // A cell that a sliding window has left behind llama.cpp gives away as soon as it wants one, although its
  // lane may go back to where the window covers it; but never one of two sequences. So each lane has a
  // second one, with what it holds for good.
  bool guarded_ = false;
  std::vector<Lane> lanes_;
  std::vector<int> outputs_;  // places of the last read's outputs in its batch
  // Cells have new positions, and the next evaluation rotates their keys. Broken off in the middle of that,
  // llama.cpp would rotate some of them a second time.
  bool moving_ = false;
};

}  // namespace saccade
