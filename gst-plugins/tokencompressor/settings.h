// The properties of tokencompressor: what the user set, and the figures that it gives back.
// Not thread-safe: the element's lock guards both.
#pragma once

#include <gst/gst.h>

#include <string>
#include <string_view>

#include "base/statistics.h"
#include "common/stage_queue.h"
#include "tokens/compressor.h"
#include "vision/vision_encoder.h"

namespace saccade::gst {

// In the order of compressor_names(), whose names are the nicks.
enum class CompressionMethod {
  automatic,
  none,
  grid,
  random,
  downscale,
  merge,
  divprune,
  temporal,
  coverage,
  dpp,
  cluster,
  salience,
};
enum class LeakyChoice { automatic, none, upstream, downstream };

struct TokenCompressorSettings {
  static constexpr CompressionMethod kDefaultMethod = CompressionMethod::automatic;
  static constexpr int kDefaultThreads = 0;
  static constexpr LeakyChoice kDefaultLeaky = LeakyChoice::automatic;
  static constexpr guint kDefaultMaxQueue = 1;  // live, a picture then is at most one encode old

  std::string model;
  std::string mmproj;
  CompressionMethod method = kDefaultMethod;
  KeepAmount amount;
  int threads = kDefaultThreads;
  EncoderOptions encoder;
  LeakyChoice leaky = kDefaultLeaky;
  guint max_queue = kDefaultMaxQueue;

  // False for ids that are not these properties'.
  bool set(guint id, const GValue *value);
  bool get(guint id, GValue *value) const;

  std::string_view method_name() const;
  Leaky leaky_for(bool live) const;
};

struct TokenCompressorFigures {
  guint64 frames = 0;
  guint64 encoded = 0;
  guint64 reused = 0;
  guint64 dropped = 0;
  guint64 failed = 0;
  double encode_work = 0;  // in whole pictures
  guint64 tokens_seen = 0;
  guint64 tokens_kept = 0;
  DurationStatistics encode;

  bool get(guint id, GValue *value) const;  // statistics, as a structure
};

void install_token_compressor_properties(GObjectClass *klass);

}  // namespace saccade::gst
