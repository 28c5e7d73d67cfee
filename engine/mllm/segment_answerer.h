// Sees pictures, hears what belongs to them, keeps the last few, and answers questions about them.
#pragma once

#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "mllm/answer.h"
#include "mllm/answer_form.h"
#include "mllm/latency_budget.h"
#include "mllm/session.h"
#include "vision/audio_encoder.h"
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
  // Pictures that a question is asked about, the newest last; at least 1. When another one comes, the oldest
  // leaves; with KvPolicy::saliency that one, of all but the newest, that was attended to least.
  int window = 1;
  Detail detail = Detail::overview;
  EncoderKind encoder = EncoderOptions().kind;
  AnswerForm form;
  bool hear = true;           // sounds, where the model takes them; getting ready for them takes time
  Duration latency_budget{};  // from a picture's coming to its answer; zero = none
};

// What was given up so far to stay within the latency budget.
struct GivenUp {
  std::uint64_t closer_looks = 0;
  std::uint64_t pictures_compressed = 0;  // fewer of their tokens read than there were
  std::uint64_t answers_shortened = 0;    // cut where they would have gone on
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
  // waited: since it came.
  Status see(const Frame &rgb, const PatchMap &refresh, std::stop_token stop, Duration waited = {});
  // Takes in what an encoder of the same model has made already.
  void see(SharedTokens tokens);
  // Encodes a part of the picture that was seen last, and takes it in as another picture after it. Exactly
  // input() in size, and for Detail::crop only. invalid_argument before anything was seen; after an error the
  // picture stays without it.
  Status look_closer(const Frame &part, std::stop_token stop);

  // Whether the model takes sound, and the rate at which it does; 0 where it does not.
  bool hears() const { return audio_encoder_ != nullptr; }
  int sound_rate() const { return hears() ? audio_encoder_->rate() : 0; }

  // Encodes what was heard up to the picture that was seen last, and takes it in after that picture, which
  // takes the sound with it when it leaves. Errors as AudioEncoder::encode, unsupported where the model does
  // not hear, and invalid_argument before anything was seen; after an error the picture stays without it.
  Status hear(const AudioBlock &sound, std::stop_token stop);
  // Words about the picture that was seen last, read after it by every question. invalid_argument likewise.
  Status note(const std::string &words);
  // What somebody who knows better said about the newest picture of the interval: every question reads it
  // after the picture, the last answers to the last four questions. False when no picture of the interval is
  // in the window any more.
  bool learn(const StreamInterval &about, const std::string &question, const std::string &answer);

  // The patches that see() encodes when it is given this map; empty = all.
  PatchMap refreshed(const PatchMap &refresh) const;
  // The next picture has nothing to do with the last: after a seek or a change of picture size.
  void forget();

  // What is wrong with the model, although it can be used; empty when nothing is.
  const std::string &complaint() const { return session_->complaint(); }

  bool has_seen() const { return !window_.empty(); }

  // Whether there is time for look_closer().
  bool may_look_closer(Duration waited);

  // About the pictures of the window. Fills in `about` as their time span and `timings.encode` as what
  // the newest of them cost. waited: since the newest came, or the question. Errors as Session::ask, and
  // invalid_argument before anything was seen.
  Result<Answer> answer(const std::string &question, std::stop_token stop, const TokenListener &listener = {},
                        Duration waited = {});

  const GivenUp &given_up() const { return given_up_; }  // of the thread that uses it

 private:
  struct Learnt {
    std::string question;
    EncodedImage words;
  };
  struct Seen {
    // The picture, the part of it that was looked at closer, what was heard and noted.
    std::vector<EncodedImage> images;
    StreamTime pts{};
    Duration encode_time{};
    float attention = 0;           // of the questions since the last picture came
    std::vector<Learnt> learnt{};  // one a question
  };

  SegmentAnswerer() = default;
  void remember(Seen seen);
  void learn_attention(std::span<const float> attention);

  SegmentAnswererOptions options_;
  std::unique_ptr<TokenStage> stage_;            // of whole pictures; null for tiles
  std::unique_ptr<VisionEncoder> encoder_;       // of tiles and closer looks; null for overviews alone
  std::unique_ptr<AudioEncoder> audio_encoder_;  // null where the model does not hear
  std::unique_ptr<Session> session_;
  std::shared_ptr<const Grammar> grammar_;
  LatencyBudget budget_{Duration::zero(), 1};
  GivenUp given_up_;
  std::deque<Seen> window_;
};

}  // namespace saccade
