// Pictures in, visual tokens out.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "base/frame.h"
#include "base/patch_grid.h"
#include "base/status.h"
#include "tokens/token_set.h"
#include "vision/model_pair.h"

namespace saccade {

struct EncoderInput {
  int width = 0;
  int height = 0;
};

// One stretch of a picture's prompt: text tokens that announce it, then its visual tokens.
struct ImagePiece {
  std::vector<std::int32_t> announcement;
  SharedTokens tokens;
};

// A picture as the language model reads it.
struct EncodedImage {
  std::vector<ImagePiece> pieces;
  std::vector<std::int32_t> closing;  // text tokens after the last piece
};

// Encodes pictures with one model pair. encode() blocks and may be called from one thread at a time;
// the other functions from any. Several encoders of one pair take turns.
class VisionEncoder {
 public:
  virtual ~VisionEncoder() = default;

  virtual EncoderInput input() const = 0;  // RGB size that encode() takes
  virtual PatchGrid grid() const = 0;      // of the tokens that encode() gives
  virtual int dimension() const = 0;       // floats per token

  // The overview: one picture of exactly input() size, rgb8, whatever its aspect was before.
  // `refresh` marks the patches that must be encoded again; empty = all. An encoder that cannot
  // encode in part encodes everything. A stop is honoured within one layer: StatusKind::cancelled.
  virtual Result<SharedTokens> encode(const Frame &rgb, const PatchMap &refresh, std::stop_token stop) = 0;

  // The overview's tokens with the text that the model expects around them.
  virtual EncodedImage overview(SharedTokens tokens) const = 0;

  // The picture at full detail, cut as the model family's own preprocessing cuts it (rgb8, any size
  // from 2 x 2). What stock llama.cpp tools do; many times slower than the overview on most models.
  virtual Result<EncodedImage> encode_tiles(const Frame &rgb, std::stop_token stop) = 0;
};

// Every family that libmtmd knows. Fails when the pair's layout cannot be read.
Result<std::unique_ptr<VisionEncoder>> make_encoder(std::shared_ptr<ModelPair> pair);

}  // namespace saccade
