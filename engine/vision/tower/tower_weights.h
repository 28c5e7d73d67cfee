// A vision tower's weights, read from a projector file and packed for this machine.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "vision/tower/attention.h"
#include "vision/tower/linear.h"
#include "vision/tower/row_math.h"

namespace saccade::tower {

// Rows that go through the layers together: the sums of a block's hidden layer (64 x 3,072) stay in a core's
// own cache.
constexpr int kBlockRows = 256;

struct TowerShape {
  int image = 0;  // pixels a side
  int patch = 0;  // likewise
  int width = 0;
  int layers = 0;
  int heads = 0;
  int hidden = 0;  // width of the feed-forward half
  int merge = 1;   // patches a side that become one token
  float epsilon = 1e-6F;
  Activation activation = Activation::gelu;
  std::array<float, 3> mean{0.5F, 0.5F, 0.5F};
  std::array<float, 3> deviation{0.5F, 0.5F, 0.5F};

  int side() const { return image / patch; }
  int patches() const { return side() * side(); }
  int patch_values() const { return 3 * patch * patch; }
  int tokens_side() const { return side() / merge; }
  int tokens() const { return tokens_side() * tokens_side(); }
  AttentionShape attention() const { return {patches(), heads, width / heads}; }
};

struct Norm {
  std::vector<float> weight, bias;
};

struct LayerWeights {
  Norm before_attention, before_feed_forward;
  Linear queries_keys_values, attended, up, down;
};

struct TowerWeights {
  TowerShape shape;
  Precision precision;
  Linear embedding;              // of a patch's pixels: channel, row, column; always fp32
  std::vector<float> positions;  // patches x width
  std::vector<LayerWeights> layers;
  Norm last;
  Linear projection;  // of a token's patches, row by row; always fp32

  int token_width() const { return projection.outer(); }
  std::string kernels() const;  // what oneDNN chose for the layers
};

// unsupported, with the reason: a family or a form that this tower is not, or a tensor that is missing or has
// another size than the file says. corrupt: the file cannot be read.
Result<std::shared_ptr<const TowerWeights>> read_tower(const std::string &mmproj, Precision precision);

}  // namespace saccade::tower
