// RAII for llama.cpp's C handles. Included by the .cpp files of vision and mllm only.
#pragma once

#include <llama.h>
#include <mtmd.h>

#include <memory>
#include <mutex>
#include <stop_token>

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

struct ModelPair::Impl {
  ModelFiles files;
  int threads = 1;
  LlamaModelHandle text;
  // An mtmd context encodes one picture at a time; whoever encodes holds the mutex and lends its stop
  // token, which the evaluation callback asks once per layer.
  std::mutex encode_mutex;
  std::stop_token encode_stop;
  MtmdContextHandle vision;
};

}  // namespace saccade
