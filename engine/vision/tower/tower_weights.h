// A vision tower's weights, read from a projector file and packed for this machine.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "vision/tower/attention.h"
#include "vision/tower/linear.h"
#include "vision/tower/row_math.h"

namespace saccade::tower {

// Rows that go through the layers together. Measured in SmolVLM-256M's shape: with 64, the weights are read
// too often (fp32 a fifth slower); with 512, what lies between two products leaves a core's cache.
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

  bool class_token = false;  // one position after the patches, which sees and is seen, and becomes no token

  int side() const { return image / patch; }
  int patches() const { return side() * side(); }
  int positions() const { return patches() + class_token; }
  int patch_values() const { return 3 * patch * patch; }
  int tokens_side() const { return side() / merge; }
  int tokens() const { return tokens_side() * tokens_side(); }
  AttentionShape attention() const { return {positions(), heads, width / heads}; }
};

struct Norm {
  std::vector<float> weight, bias;  // empty where there is none
};

struct LayerWeights {
  Norm before_attention, before_feed_forward;
  Linear queries_keys_values, attended, up, down;
};

// From a square of merge x merge patches to one token; always fp32.
struct TokenHead {
  enum class Gather { join, mean };  // of the patches, row by row
  enum class Kind { none, layer, rms };

  Gather gather = Gather::join;
  Kind kind = Kind::none;  // of the norm
  Norm norm;
  float epsilon = 1e-6F;
  Linear first;
  std::optional<Linear> second;  // after a GELU

  int gathered(const TowerShape &shape) const {
    return gather == Gather::join ? shape.width * shape.merge * shape.merge : shape.width;
  }
  int width() const { return second ? second->outer() : first.outer(); }
};

struct TowerWeights {
  TowerShape shape;
  Precision precision;
  Linear embedding;                // of a patch's pixels: channel, row, column; always fp32
  std::vector<float> class_token;  // width, or none
  std::vector<float> positions;    // positions x width
  std::vector<LayerWeights> layers;
  Norm last;
  TokenHead head;

  int token_width() const { return head.width(); }
  std::string kernels() const;  // what oneDNN chose for the layers
};

// unsupported, with the reason: a family or a form that this tower is not, or a tensor that is missing or has
// another size than the file says. corrupt: the file cannot be read.
Result<std::shared_ptr<const TowerWeights>> read_tower(const std::string &mmproj, Precision precision);

}  // namespace saccade::tower
