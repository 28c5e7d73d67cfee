// From a request's messages to the turns that a session reads: files are decoded, resized and encoded.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "mllm/session.h"
#include "server/chat_request.h"
#include "server/picture_cache.h"
#include "vision/audio_encoder.h"
#include "vision/vision_encoder.h"

namespace saccade {

enum class PictureDetail {
  overview,  // the whole picture at the encoder's size
  tiles,     // cut as the model family's own preprocessing does
};

struct ReadingOptions {
  PictureDetail detail = PictureDetail::overview;
  EncoderKind encoder = EncoderKind::automatic;
  std::int64_t most_pixels = 40'000'000;  // of one picture
};

// What reading took.
struct ReadingReport {
  Duration encode{};
  int encoded = 0;     // pictures and sounds
  int remembered = 0;  // that were not encoded, because they had been before
};

// Used by one thread at a time; `cache` and `ears` are shared.
class ConversationReader {
 public:
  // ears: null where the model does not hear. Errors: as of make_encoder().
  static Result<std::unique_ptr<ConversationReader>> create(const std::shared_ptr<ModelPair> &pair,
                                                            const ReadingOptions &options,
                                                            std::shared_ptr<PictureCache> cache,
                                                            std::shared_ptr<const AudioEncoder> ears);

  // Nothing is encoded behind what fills the session's context already.
  // Errors: invalid_argument (a file that cannot be read, or is too large or too long), unsupported (a sound,
  // where the model does not hear), exhausted (it does not fit), cancelled, those of the encoders.
  Result<std::vector<Turn>> read(const std::vector<ChatMessage> &messages, const Session &session,
                                 const std::stop_token &stop, ReadingReport &report);

 private:
  ConversationReader() = default;
  Result<EncodedImage> read_file(const ContentPart &part, const std::stop_token &stop, ReadingReport &report);
  Result<EncodedImage> see(const std::string &file, const std::stop_token &stop);
  Result<EncodedImage> hear(const std::string &file, const std::stop_token &stop) const;

  ReadingOptions options_;
  std::shared_ptr<PictureCache> cache_;
  std::shared_ptr<const AudioEncoder> ears_;
  std::unique_ptr<VisionEncoder> encoder_;
};

}  // namespace saccade
