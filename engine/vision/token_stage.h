// From a picture to the tokens that are worth reading: encode what changed, keep what matters.
#pragma once

#include <memory>
#include <stop_token>
#include <utility>

#include "base/frame.h"
#include "base/patch_grid.h"
#include "base/status.h"
#include "tokens/compressor.h"
#include "tokens/temporal.h"
#include "vision/vision_encoder.h"

namespace saccade {

// What a gate said about the picture, on the grid of TokenStage::patches(). Maps of another grid say nothing.
struct PatchAdvice {
  PatchMap refresh;  // 255 = must be encoded again; empty = all of them
  PatchMap keep;     // importance; empty = all alike
};

// Used by one thread at a time.
class TokenStage {
 public:
  TokenStage(std::unique_ptr<VisionEncoder> encoder, std::unique_ptr<TokenCompressor> compressor);

  EncoderInput input() const { return encoder_->input(); }
  PatchGrid patches() const { return encoder_->refresh_grid(); }
  const VisionEncoder &encoder() const { return *encoder_; }

  // The last tokens again, at no encode time, when the advice says that nothing changed since they were
  // made; null when the picture has to be encoded.
  SharedTokens reusable(const PatchAdvice &advice);

  // From the next encode on.
  void compress_with(std::unique_ptr<TokenCompressor> compressor) { compressor_ = std::move(compressor); }

  // Encodes `rgb` (exactly input() in size) and keeps `amount` of its tokens. A failed or cancelled
  // encode leaves what reusable() returns as it was.
  Result<SharedTokens> encode(const Frame &rgb, const PatchAdvice &advice, const KeepAmount &amount,
                              std::stop_token stop);

  // The advice's refresh map if it fits; empty = everything was encoded.
  PatchMap refreshed(const PatchAdvice &advice) const;

  // The next picture has nothing to do with the last: after a seek or a change of picture size.
  void forget();

 private:
  std::unique_ptr<VisionEncoder> encoder_;
  std::unique_ptr<TokenCompressor> compressor_;
  TemporalReference reference_;
  SharedTokens last_;
};

}  // namespace saccade
