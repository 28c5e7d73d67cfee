// RAII for llama.cpp's C handles. Included by the .cpp files of vision and mllm only.
#pragma once

#include <llama.h>
#include <mtmd.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "vision/model_pair.h"

namespace saccade {

struct LlamaModelDeleter {
  void operator()(llama_model *p) const { llama_model_free(p); }
};
struct LlamaContextDeleter {
  void operator()(llama_context *p) const { llama_free(p); }
};
struct MtmdContextDeleter {
  void operator()(mtmd_context *p) const { mtmd_free(p); }
};
struct MtmdBitmapDeleter {
  void operator()(mtmd_bitmap *p) const { mtmd_bitmap_free(p); }
};
struct MtmdChunksDeleter {
  void operator()(mtmd_input_chunks *p) const { mtmd_input_chunks_free(p); }
};

using LlamaModelHandle = std::unique_ptr<llama_model, LlamaModelDeleter>;
using LlamaContextHandle = std::unique_ptr<llama_context, LlamaContextDeleter>;
using MtmdContextHandle = std::unique_ptr<mtmd_context, MtmdContextDeleter>;
using MtmdBitmapHandle = std::unique_ptr<mtmd_bitmap, MtmdBitmapDeleter>;
using MtmdChunksHandle = std::unique_ptr<mtmd_input_chunks, MtmdChunksDeleter>;

// Whose turn it is to encode with libmtmd. A stop ends the wait as well as the encode: another camera's
// picture may take seconds on a large model.
class EncodeTurn {
 public:
  // Gives the turn back at its end.
  class Held {
   public:
    explicit Held(EncodeTurn *turn) : turn_(turn) {}
    Held(Held &&other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Held &operator=(Held &&) = delete;
    ~Held() {
      if (turn_) turn_->give_back();
    }

   private:
    EncodeTurn *turn_;
  };

  // Waits for the turn; empty when `stop` came first.
  std::optional<Held> take(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!free_.wait(lock, stop, [this] { return !taken_; }) || stop.stop_requested()) return std::nullopt;
    taken_ = true;
    stop_ = std::move(stop);
    return Held(this);
  }

  // Whether the one whose turn it is has been stopped. Only for what runs during that turn.
  bool stopping() const { return stop_.stop_requested(); }

 private:
  void give_back() {
    const std::lock_guard lock(mutex_);
    taken_ = false;
    stop_ = {};
    free_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable_any free_;
  bool taken_ = false;
  std::stop_token stop_;
};

namespace tower {
class EncodeQueue;
}

struct ModelPair::Impl {
  ModelFiles files;
  int threads = 1;
  LlamaModelHandle text;
  EncodeTurn turn;
  MtmdContextHandle vision;  // encodes one picture at a time
  std::mutex queues_mutex;
  std::array<std::weak_ptr<tower::EncodeQueue>, 2> queues;  // the streaming encoder's, by precision
};

}  // namespace saccade
