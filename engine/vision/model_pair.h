// A multimodal model as users have it: a text GGUF and the projector (mmproj) GGUF that belongs to it.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

struct llama_model;
struct mtmd_context;

namespace saccade {

struct ModelFiles {
  std::string text;    // path of the language model
  std::string mmproj;  // path of its projector
  int threads = 0;     // for its matrix products; 0 = chosen from the model's size, see ModelPair::threads

  bool operator==(const ModelFiles &) const = default;
};

// Loaded weights, read-only and shared. A process holds one copy per (paths, threads) for as long as
// anybody uses it. Thread-safe; encoding through the pair is serialised by its encoders.
class ModelPair {
 public:
  // Checks both files, loads them (seconds for large models), or returns the copy that is loaded already.
  static Result<std::shared_ptr<ModelPair>> open(const ModelFiles &files);

  ~ModelPair();
  ModelPair(const ModelPair &) = delete;
  ModelPair &operator=(const ModelPair &) = delete;

  const ModelFiles &files() const;

  // What ModelFiles::threads came to. When it was 0: one for models of a few million parameters, whose
  // steps are too short to share (ggml's threads spin at every step's end, which costs CPU time always and
  // stalls whenever another process holds one of the cores), else the cores that this process may use.
  int threads() const;
  // Evaluations that may go on side by side, each on threads(): what fills the cores that this process may
  // use when ModelFiles::threads was 0, else one.
  int side_by_side() const;

  // Only for the rooms vision and mllm.
  struct Impl;
  Impl &impl() const { return *impl_; }

 private:
  explicit ModelPair(std::unique_ptr<Impl> impl);
  static Result<std::shared_ptr<ModelPair>> load(const ModelFiles &files);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade
