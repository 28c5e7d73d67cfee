// Sound in, tokens out: with the model's own audio encoder, where it has one.
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>

#include "base/frame.h"
#include "base/status.h"
#include "base/time.h"
#include "vision/model_pair.h"
#include "vision/vision_encoder.h"

namespace saccade {

// Encodes sounds with one model pair, in turn with its pictures. encode() blocks; it may be called from any
// thread.
//
// Most encoders hear half a minute at a time, whatever the sound's length; silence fills it up. Only the
// tokens of the sound itself are given then, as those models' own processors give them, and no fewer than
// cover it: what would follow speaks of silence that nobody has heard, and is 90 % of all for a sound of
// three seconds.
class AudioEncoder {
 public:
  // The longest sound; from 29.99 s on, libmtmd would make a second half minute of it, nearly all silence.
  static constexpr Duration kLongest = std::chrono::milliseconds(29'900);

  // unsupported: the model does not hear.
  static Result<std::unique_ptr<AudioEncoder>> create(std::shared_ptr<ModelPair> pair);

  int rate() const { return rate_; }  // Hz, of the sounds that encode() takes

  // Channels are mixed; samples beyond [-1, 1] are clipped. Of a sound that is longer than kLongest, the
  // newest is encoded, and its beginning is not heard. A stop is honoured within one layer, or within the
  // spectrogram that is made first: StatusKind::cancelled.
  // Errors: invalid_argument (empty, of another rate, or with samples that are no numbers), cancelled,
  // internal.
  Result<EncodedImage> encode(const AudioBlock &sound, std::stop_token stop) const;

 private:
  AudioEncoder(std::shared_ptr<ModelPair> pair, int rate);
  Status learn_layout();
  int tokens_in(std::size_t samples) const;

  std::shared_ptr<ModelPair> pair_;
  int rate_;
  int window_tokens_ = 0;  // of a whole window; 0 where a sound's length decides
};

}  // namespace saccade
