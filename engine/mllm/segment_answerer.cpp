#include "mllm/segment_answerer.h"

#include <algorithm>
#include <vector>

namespace saccade {

Result<std::unique_ptr<SegmentAnswerer>> SegmentAnswerer::create(const ModelFiles &files,
                                                                 const SegmentAnswererOptions &options) {
  auto pair = ModelPair::open(files);
  if (!pair.ok()) return pair.status();
  std::unique_ptr<SegmentAnswerer> answerer(new SegmentAnswerer());
  answerer->options_ = options;
  answerer->options_.window = std::max(options.window, 1);
  if (options.detail != Detail::tiles) {
    auto encoder = make_encoder(pair.value(), {.kind = options.encoder});
    if (!encoder.ok()) return encoder.status();
    auto every = make_compressor("none");
    answerer->stage_ = std::make_unique<TokenStage>(std::move(encoder).value(), std::move(every).value());
  }
  if (options.detail != Detail::overview) {
    // Tiles are cut and encoded by libmtmd: no other weights need be loaded for them.
    const auto kind = options.detail == Detail::tiles ? EncoderKind::libmtmd : options.encoder;
    auto encoder = make_encoder(pair.value(), {.kind = kind});
    if (!encoder.ok()) return encoder.status();
    answerer->encoder_ = std::move(encoder).value();
  }
  auto session = Session::create(pair.value(), options.session);
  if (!session.ok()) return session.status();
  answerer->session_ = std::move(session).value();
  return answerer;
}

Status SegmentAnswerer::see(const Frame &rgb, const PatchMap &refresh, std::stop_token stop) {
  const auto start = Clock::now();
  if (!stage_) {
    auto tiles = encoder_->encode_tiles(rgb, stop);
    if (!tiles.ok()) return tiles.status();
    remember({{std::move(tiles).value()}, rgb.pts, Clock::now() - start});
    return {};
  }
  const PatchAdvice advice{refresh, {}};
  if (auto same = stage_->reusable(advice)) {
    remember({{encoder().overview(std::move(same))}, rgb.pts, {}});
    return {};
  }
  auto tokens = stage_->encode(rgb, advice, {}, stop);
  if (!tokens.ok()) return tokens.status();
  remember({{encoder().overview(std::move(tokens).value())}, rgb.pts, Clock::now() - start});
  return {};
}

PatchMap SegmentAnswerer::refreshed(const PatchMap &refresh) const {
  return stage_ ? stage_->refreshed({refresh, {}}) : PatchMap();
}

void SegmentAnswerer::forget() {
  if (stage_) stage_->forget();
}

void SegmentAnswerer::see(SharedTokens tokens) {
  const auto pts = tokens->pts;
  const auto encode_time = tokens->encode_time;
  remember({{encoder().overview(std::move(tokens))}, pts, encode_time});
}

Status SegmentAnswerer::look_closer(const Frame &part, std::stop_token stop) {
  if (window_.empty() || options_.detail != Detail::crop)
    return {StatusKind::invalid_argument, "no picture was seen yet that could be looked at closer"};
  const auto start = Clock::now();
  auto tokens = encoder_->encode(part, {}, stop);
  if (!tokens.ok()) return tokens.status();
  window_.back().images.push_back(encoder_->overview(std::move(tokens).value()));
  window_.back().encode_time += Clock::now() - start;
  return {};
}

Result<Answer> SegmentAnswerer::answer(const std::string &question, std::stop_token stop,
                                       const TokenListener &listener) {
  if (window_.empty())
    return Status{StatusKind::invalid_argument,
                  "\"" + question + "\" cannot be answered: no picture was seen yet"};
  std::vector<EncodedImage> images;
  for (const auto &seen : window_) images.insert(images.end(), seen.images.begin(), seen.images.end());
  auto answer = session_->ask(question, images, stop, listener);
  if (!answer.ok()) return answer.status();
  answer.value().about = {window_.front().pts, window_.back().pts};
  answer.value().timings.encode = window_.back().encode_time;
  return answer;
}

void SegmentAnswerer::remember(Seen seen) {
  window_.push_back(std::move(seen));
  while (static_cast<int>(window_.size()) > options_.window) window_.pop_front();
}

}  // namespace saccade
