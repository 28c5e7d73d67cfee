// Sees pictures, keeps the last few, and answers questions about them.
#pragma once

#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "mllm/answer.h"
#include "mllm/session.h"
#include "vision/token_stage.h"
#include "vision/vision_encoder.h"

namespace saccade {

enum class Detail {
  overview,  // the whole picture at the encoder's size
  tiles,     // cut as the model family's own preprocessing does; what stock llama.cpp tools do
  crop,      // overview, and after it a part of the picture at its own resolution, for what is small
};

struct SegmentAnswererOptions {
  SessionOptions session;
  int window = 1;  // pictures that a question is asked about, the newest last; at least 1
  Detail detail = Detail::overview;
  EncoderKind encoder = EncoderOptions().kind;
};

// Used by one thread at a time, except for the const functions.
class SegmentAnswerer {
 public:
  static Result<std::unique_ptr<SegmentAnswerer>> create(const ModelFiles &files,
                                                         const SegmentAnswererOptions &options);

  // Size in which see() wants its pictures; any size is right for Detail::tiles.
  EncoderInput input() const { return encoder().input(); }
  PatchGrid grid() const { return encoder().grid(); }
  PatchGrid patches() const { return encoder().refresh_grid(); }
  const VisionEncoder &encoder() const { return stage_ ? stage_->encoder() : *encoder_; }

  // Encodes a picture, or what changed in it since the last one, and takes it into the window; the oldest
  // leaves. refresh: on patches(), 255 = changed; empty, or of another grid = everything did.
  Status see(const Frame &rgb, const PatchMap &refresh, std::stop_token stop);
  // Takes in what an encoder of the same model has made already.
  void see(SharedTokens tokens);
  // Encodes a part of the picture that was seen last, and takes it in as another picture after it. Exactly
  // input() in size, and for Detail::crop only. invalid_argument before anything was seen; after an error the
  // picture stays without it.
  Status look_closer(const Frame &part, std::stop_token stop);

  // The patches that see() encodes when it is given this map; empty = all.
  PatchMap refreshed(const PatchMap &refresh) const;
  // The next picture has nothing to do with the last: after a seek or a change of picture size.
  void forget();

  bool has_seen() const { return !window_.empty(); }

  // About the pictures of the window. Fills in `about` as their time span and `timings.encode` as what
  // the newest of them cost. Errors as Session::ask, and invalid_argument before anything was seen.
  Result<Answer> answer(const std::string &question, std::stop_token stop,
                        const TokenListener &listener = {});

 private:
  struct Seen {
    std::vector<EncodedImage> images;  // the picture, and the part of it that was looked at closer
    StreamTime pts{};
    Duration encode_time{};
  };

  SegmentAnswerer() = default;
  void remember(Seen seen);

  SegmentAnswererOptions options_;
  std::unique_ptr<TokenStage> stage_;       // of whole pictures; null for tiles
  std::unique_ptr<VisionEncoder> encoder_;  // of tiles and closer looks; null for overviews alone
  std::unique_ptr<Session> session_;
  std::deque<Seen> window_;
};

}  // namespace saccade
