// Attention weights, read out of llama.cpp's graph while it computes. Internal to mllm.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <vector>

namespace saccade {

// Of one llama_context with plain attention and one cache for all sequences; of sliding-window layers or the
// others, whichever come first. What it costs: the sum over one tensor for each layer of the evaluations in
// which somebody's attention is wanted, a row of the mask in others, and nothing outside begin() and end().
// Used by one thread at a time.
class AttentionWatch {
 public:
  // Rows of the next evaluation's batch that belong together.
  struct Rows {
    std::size_t first = 0;
    std::size_t count = 0;
    bool weigh = false;  // whether what they attend to is wanted
  };
  struct Seen {
    std::vector<int> cells;      // of the cache that the last row may attend to, ascending
    std::vector<float> weights;  // for each cell: its share of the rows' attention, in all heads and layers
  };

  // For llama_context_params::cb_eval, with this object as user data.
  static bool callback(ggml_tensor *tensor, bool ask, void *watch);

  void begin(std::vector<Rows> rows);
  // What was seen of each of begin()'s rows, once the evaluation has succeeded; nothing more is watched.
  std::vector<Seen> end();

 private:
  bool wants_more() const;
  void take(const ggml_tensor *weights);
  void take_cells(const ggml_tensor *mask);

  std::vector<Rows> rows_;
  std::vector<Seen> seen_;
  const ggml_tensor *mask_ = nullptr;  // of the layers that are looked at
  int layers_ = 0;
};

}  // namespace saccade
