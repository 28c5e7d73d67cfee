// What one llama_context has read so far, and the means to make it read on. Internal to mllm.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <variant>
#include <vector>

#include "base/status.h"
#include "vision/llama_handles.h"
#include "vision/vision_encoder.h"

namespace saccade {

// A stretch of prompt: text tokens, or the visual tokens of one picture.
using Stretch = std::variant<std::vector<std::int32_t>, SharedTokens>;

// Owns the context of one sequence. Used by one thread at a time.
class KvCache {
 public:
  static Result<std::unique_ptr<KvCache>> create(std::shared_ptr<ModelPair> pair, int max_context);

  // Reads `prompt` so that the logits of its last token are there. Stretches that the cache holds
  // already, from the start on, are kept; the rest is forgotten and read anew.
  Status read(std::span<const Stretch> prompt, std::stop_token stop);

  // Reads one generated token on top.
  Status read_token(std::int32_t token, std::stop_token stop);

  // Logits after the last token read, one per vocabulary entry; valid until the next read.
  std::span<const float> logits() const;

 private:
  KvCache() = default;
  Status keep_common_start(std::span<const Stretch> prompt, std::size_t *kept);
  Status read_text(std::span<const std::int32_t> tokens, bool want_logits);
  Status read_picture(const TokenSet &tokens);
  Status decode(llama_batch batch);
  void forget_everything();
  int room() const;

  std::shared_ptr<ModelPair> pair_;
  LlamaContextHandle context_;
  std::stop_token stop_;   // of the read under way; llama.cpp itself asks it while it computes
  std::size_t slice_ = 1;  // tokens that are read at once
  int limit_ = 0;          // tokens that may be held; llama.cpp rounds it up for itself
  bool mrope_ = false;
  std::vector<Stretch> held_;    // what the cache holds, stretch by stretch
  std::vector<llama_pos> ends_;  // position after each held stretch
  llama_pos position_ = 0;       // of the next token
  int cells_ = 0;                // cache cells in use; differs from position_ with M-RoPE
  std::vector<int> cell_ends_;
};

}  // namespace saccade
