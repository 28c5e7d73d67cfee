// libllama's cache in one of its layouts, and what is measured of it.
#pragma once

#include <ggml-cpu.h>
#include <llama-cpp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "process_figures.h"

namespace saccade {

inline constexpr int kNewTokens = 64;     // of one sequence's prefill
inline constexpr int kDecodeSteps = 4;    // of one measurement
inline constexpr int kInTurn = 4;         // sequences; more of them in turn tell nothing new
inline constexpr int kScatteredRun = 16;  // neighbouring cells of one sequence: about an answer
inline constexpr int kUbatch = 512;

struct Layout {
  const char *name;
  bool unified;
  bool flash;
  ggml_type type;
  bool scattered = false;
};

struct Load {
  int held;
  int sequences;
};

[[noreturn]] inline void fail(const std::string &sentence) {
  std::fprintf(stderr, "kv_bench: %s\n", sentence.c_str());
  std::exit(1);
}

class Batch {
 public:
  void add(llama_token token, llama_pos position, llama_seq_id sequence, bool wanted) {
    tokens_.push_back(token);
    positions_.push_back(position);
    sequences_.push_back(sequence);
    wanted_.push_back(wanted);
  }

  llama_batch view() {
    counts_.assign(tokens_.size(), 1);
    pointers_.clear();
    for (auto &sequence : sequences_) pointers_.push_back(&sequence);
    llama_batch batch{};
    batch.n_tokens = static_cast<std::int32_t>(tokens_.size());
    batch.token = tokens_.data();
    batch.pos = positions_.data();
    batch.n_seq_id = counts_.data();
    batch.seq_id = pointers_.data();
    batch.logits = wanted_.data();
    return batch;
  }

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<std::int8_t> wanted_;
  std::vector<std::int32_t> counts_;
  std::vector<llama_seq_id *> pointers_;
};

// A context in one layout in which every sequence holds so many tokens. What a measurement adds, it takes
// away again.
class Cache {
 public:
  Cache(llama_model *model, const Layout &layout, const Load &load, int threads)
      : layout_(layout),
        load_(load),
        clock_(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC),
        words_(llama_vocab_n_tokens(llama_model_get_vocab(model))) {
    const double before = resident_bytes();
    auto parameters = llama_context_default_params();
    const auto sequences = static_cast<std::uint32_t>(load.sequences);
    const auto each = static_cast<std::uint32_t>(load.held + kNewTokens);
    parameters.n_ctx = sequences * each;  // libllama rounds up to 256, for each sequence unless unified
    parameters.n_batch = std::max<std::uint32_t>(kUbatch, sequences * kNewTokens);
    parameters.n_ubatch = kUbatch;
    parameters.n_seq_max = sequences;
    parameters.n_outputs_max = sequences;
    parameters.n_threads = threads;
    parameters.n_threads_batch = threads;
    parameters.kv_unified = layout.unified;
    parameters.flash_attn_type =
        layout.flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    parameters.type_k = layout.type;
    parameters.type_v = layout.type;
    parameters.no_perf = true;
    made_in_ms_ = milliseconds([&] { context_.reset(llama_init_from_model(model, parameters)); });
    if (!context_) fail(std::string("libllama makes no context in the layout ") + layout.name);
    memory_ = llama_get_memory(context_.get());
    fill();
    decode();
    mixed();
    const int fit = std::min(load.sequences, kUbatch / kNewTokens);
    milliseconds_and_back([&] { read_next(every(0, 1, fit), kNewTokens, load.held); });
    mebibytes_ = (resident_bytes() - before) / (1 << 20);
  }

  const Layout &layout() const { return layout_; }
  double made_in_ms() const { return made_in_ms_; }
  double mebibytes() const { return mebibytes_; }

  double decode() { return decode_every(1); }
  double decode_second() { return decode_every(2); }

  double decode_in_turn() {
    const int count = std::min(load_.sequences, kInTurn);
    return per_second(count * kDecodeSteps, [&] {
      for (int s = 0; s < count; ++s)
        for (int step = 0; step < kDecodeSteps; ++step) read_next({s}, 1, load_.held + step);
    });
  }

  double prefill() {
    return per_second(load_.sequences * kNewTokens, [&] { read_next(all(0, 1), kNewTokens, load_.held); });
  }

  double prefill_in_turn() {
    const int count = std::min(load_.sequences, kInTurn);
    return per_second(count * kNewTokens, [&] {
      for (int s = 0; s < count; ++s) read_next({s}, kNewTokens, load_.held);
    });
  }

  double mixed() {
    return milliseconds_and_back([&] {
      Batch batch;
      add(batch, 0, kNewTokens, load_.held);
      for (int s = 1; s < load_.sequences; ++s) add(batch, s, 1, load_.held);
      read(batch);
    });
  }

  double read_some(int tokens) {
    return milliseconds_and_back([&] { read_next({0}, tokens, load_.held); });
  }

  double apart() {
    return milliseconds_and_back([&] {
      read_next({0}, kNewTokens, load_.held);
      if (load_.sequences > 1) read_next(all(1, 1), 1, load_.held);
    });
  }

  // One token of sequence 0 after one cell of it was taken away and the later ones moved up by one.
  double decode_after_shift() {
    llama_memory_seq_rm(memory_, 0, 5, 6);
    llama_memory_seq_add(memory_, 0, 6, -1, -1);
    return milliseconds([&] { read_next({0}, 1, load_.held - 1); });  // it holds as many as before
  }

  // The last sequence becomes a copy of the first; nothing is computed before the next llama_decode.
  double copy_sequence() {
    const auto last = load_.sequences - 1;
    llama_memory_seq_rm(memory_, last, -1, -1);
    return milliseconds([&] { llama_memory_seq_cp(memory_, 0, last, -1, -1); });
  }

  void use(ggml_threadpool_t pool) { llama_attach_threadpool(context_.get(), pool, pool); }

 private:
  static std::vector<llama_seq_id> every(int first, int step, int count) {
    std::vector<llama_seq_id> sequences;
    for (int s = first; s < count; s += step) sequences.push_back(s);
    return sequences;
  }

  std::vector<llama_seq_id> all(int first, int step) const { return every(first, step, load_.sequences); }

  double decode_every(int step_of_sequences) {
    const auto sequences = all(0, step_of_sequences);
    return per_second(static_cast<int>(sequences.size()) * kDecodeSteps, [&] {
      for (int step = 0; step < kDecodeSteps; ++step) read_next(sequences, 1, load_.held + step);
    });
  }

  void add(Batch &batch, llama_seq_id sequence, int count, int first) const {
    for (int i = 0; i < count; ++i) {
      const auto token = (first + i) * 7919 % words_;
      batch.add(token, first + i, sequence, i + 1 == count);
    }
  }

  void read_next(const std::vector<llama_seq_id> &sequences, int count, int first) {
    Batch batch;
    for (const auto sequence : sequences) add(batch, sequence, count, first);
    read(batch);
  }

  void read(Batch &batch) {
    const auto code = llama_decode(context_.get(), batch.view());
    if (code) fail("llama_decode says " + std::to_string(code) + " in the layout " + layout_.name);
    llama_synchronize(context_.get());
  }

  double milliseconds(const std::function<void()> &work) const {
    const double start = milliseconds_of(clock_);
    work();
    return milliseconds_of(clock_) - start;
  }

  double milliseconds_and_back(const std::function<void()> &work) {
    const double ms = milliseconds(work);
    for (int s = 0; s < load_.sequences; ++s) llama_memory_seq_rm(memory_, s, load_.held, -1);
    return ms;
  }

  double per_second(int tokens, const std::function<void()> &work) {
    return 1e3 * tokens / milliseconds_and_back(work);
  }

  void fill() {
    for (int first = 0; first < load_.held; first += kUbatch)
      read_next({0}, std::min(kUbatch, load_.held - first), first);
    std::vector<std::uint8_t> state(llama_state_seq_get_size(context_.get(), 0));
    llama_state_seq_get_data(context_.get(), state.data(), state.size(), 0);
    for (int s = 1; s < load_.sequences; ++s)
      if (!llama_state_seq_set_data(context_.get(), state.data(), state.size(), s))
        fail("a sequence's state cannot be copied");
    if (layout_.scattered) scatter();
  }

  // Run r of the cells of a sequence goes to the sequence r places further. All hold the same.
  void scatter() {
    const int count = load_.sequences;
    for (int s = 0; s < count; ++s) {
      llama_memory_seq_cp(memory_, s, count + s, -1, -1);  // libllama has 256 sequences in a unified cache
      llama_memory_seq_rm(memory_, s, -1, -1);
    }
    for (int s = 0; s < count; ++s) {
      for (int first = 0; first < load_.held; first += kScatteredRun)
        llama_memory_seq_cp(memory_, count + s, (s + first / kScatteredRun) % count, first,
                            first + kScatteredRun);
      llama_memory_seq_rm(memory_, count + s, -1, -1);
    }
  }

  Layout layout_;
  Load load_;
  clockid_t clock_;
  std::int32_t words_;
  llama_context_ptr context_;
  llama_memory_t memory_ = nullptr;
  double made_in_ms_ = 0;
  double mebibytes_ = 0;
};

}  // namespace saccade
