// Pictures in, visual tokens out.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
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

// One stretch of a picture's prompt, or of a sound's: text tokens that announce it, then its own.
struct ImagePiece {
  std::vector<std::int32_t> announcement;
  SharedTokens tokens;
};

// A picture, or a sound, as the language model reads it.
struct EncodedImage {
  std::vector<ImagePiece> pieces;
  std::vector<std::int32_t> closing;  // text tokens after the last piece
};

enum class EncoderKind {
  automatic,  // int8 where the processor has instructions for it, else fp32; libmtmd for families that the
              // streaming encoder does not know, and where ggml has a GPU
  int8,       // the streaming encoder, or libmtmd where that is not possible
  fp32,       // likewise
  libmtmd,
};

struct EncoderOptions {
  EncoderKind kind = EncoderKind::automatic;
  // The streaming encoder encodes everything again, whatever the refresh map says, after so much stream time
  // (zero = never),
  Duration whole_every = std::chrono::seconds(30);
  // and once what it encoded in part adds up to so many whole pictures (zero = never): what is kept of the
  // other patches was made in other surroundings.
  double whole_after = 1;
  // Share of a picture's patches, [0, 0.5], that the streaming encoder merges with one like them after a
  // quarter of its layers, where it encodes the picture as a whole.
  double merge_inside = 0;
  // Rings of patches around those that changed that are encoded, too; -1 = by the grid.
  int surroundings = -1;
};

// Encodes pictures with one model pair. encode() blocks and may be called from one thread at a time;
// the other const functions from any.
class VisionEncoder {
 public:
  virtual ~VisionEncoder() = default;

  virtual EncoderInput input() const = 0;                    // RGB size that encode() takes
  virtual PatchGrid grid() const = 0;                        // of the tokens that encode() gives
  virtual PatchGrid refresh_grid() const { return grid(); }  // of the refresh maps that encode() takes
  virtual int dimension() const = 0;                         // floats per token

  // The overview: one picture of exactly input() size, rgb8, whatever its aspect was before.
  // `refresh` marks the patches that changed since the last encode; empty = all. An encoder that cannot
  // encode in part encodes everything. A stop is honoured within one layer: StatusKind::cancelled.
  virtual Result<SharedTokens> encode(const Frame &rgb, const PatchMap &refresh, std::stop_token stop) = 0;

  // The next picture has nothing to do with the last.
  virtual void forget() {}

  // What encodes, and with which kernels; for logs.
  virtual std::string description() const = 0;
  // Why it is not the encoder that was asked for; empty when it is.
  virtual std::string fallback_reason() const { return {}; }

  // The overview's tokens with the text that the model expects around them.
  virtual EncodedImage overview(SharedTokens tokens) const = 0;

  // The picture at full detail, cut as the model family's own preprocessing cuts it (rgb8, any size
  // from 2 x 2). What stock llama.cpp tools do; many times slower than the overview on most models.
  virtual Result<EncodedImage> encode_tiles(const Frame &rgb, std::stop_token stop) = 0;
};

// Every family that libmtmd knows. Fails when the pair's layout cannot be read. Encoders of one pair share
// their weights; streaming ones encode what changed in several cameras' pictures together, others take turns.
Result<std::unique_ptr<VisionEncoder>> make_encoder(std::shared_ptr<ModelPair> pair,
                                                    const EncoderOptions &options = {});

}  // namespace saccade
