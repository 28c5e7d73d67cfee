#include "mllm/segment_answerer.h"

#include <algorithm>
#include <vector>

namespace saccade {

namespace {

constexpr std::size_t kMostLearnt = 4;  // answers about a picture: all share its place in the context

}  // namespace

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
    // Everything is kept, unless a latency budget asks for less.
    auto compressor = make_compressor("auto");
    if (!compressor.ok()) return compressor.status();
    answerer->stage_ =
        std::make_unique<TokenStage>(std::move(encoder).value(), std::move(compressor).value());
  }
  if (options.detail != Detail::overview) {
    // Tiles are cut and encoded by libmtmd: no other weights need be loaded for them.
    const auto kind = options.detail == Detail::tiles ? EncoderKind::libmtmd : options.encoder;
    auto encoder = make_encoder(pair.value(), {.kind = kind});
    if (!encoder.ok()) return encoder.status();
    answerer->encoder_ = std::move(encoder).value();
  }
  if (options.hear) {
    auto audio_encoder = AudioEncoder::create(pair.value());
    if (audio_encoder.ok())
      answerer->audio_encoder_ = std::move(audio_encoder).value();
    else if (audio_encoder.status().kind() != StatusKind::unsupported)
      return audio_encoder.status();
  }
  auto session = Session::create(pair.value(), options.session);
  if (!session.ok()) return session.status();
  answerer->session_ = std::move(session).value();
  auto grammar = grammar_of(pair.value(), options.form);
  if (!grammar.ok()) return grammar.status();
  answerer->grammar_ = std::move(grammar).value();
  answerer->budget_ = LatencyBudget(options.latency_budget, options.session.max_tokens);
  return answerer;
}

Status SegmentAnswerer::see(const Frame &rgb, const PatchMap &refresh, std::stop_token stop,
                            Duration waited) {
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
  KeepAmount amount;
  amount.ratio = budget_.plan(waited, /*encoded=*/false).keep;
  auto tokens = stage_->encode(rgb, advice, amount, stop);
  if (!tokens.ok()) return tokens.status();
  if (amount.ratio < 1) ++given_up_.pictures_compressed;
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

Status SegmentAnswerer::hear(const AudioBlock &sound, std::stop_token stop) {
  if (!hears()) return {StatusKind::unsupported, "the model does not hear"};
  if (window_.empty())
    return {StatusKind::invalid_argument, "no picture was seen yet that the sound could belong to"};
  const auto start = Clock::now();
  auto heard = audio_encoder_->encode(sound, stop);
  if (!heard.ok()) return heard.status();
  window_.back().images.push_back(std::move(heard).value());
  window_.back().encode_time += Clock::now() - start;
  return {};
}

bool SegmentAnswerer::learn(const StreamInterval &about, const std::string &question,
                            const std::string &answer) {
  const auto of_it = [&](const Seen &seen) { return seen.pts >= about.start && seen.pts < about.end; };
  const auto newest = std::find_if(window_.rbegin(), window_.rend(), of_it);
  if (newest == window_.rend()) return false;
  auto &learnt = newest->learnt;
  std::erase_if(learnt, [&](const Learnt &one) { return one.question == question; });
  if (learnt.size() == kMostLearnt) learnt.erase(learnt.begin());
  std::string words = "[Asked \"";
  words.append(question).append("\", a larger model said: ").append(answer).append("]\n");
  learnt.push_back({question, session_->words(words)});
  return true;
}

Status SegmentAnswerer::note(const std::string &words) {
  if (window_.empty())
    return {StatusKind::invalid_argument, "no picture was seen yet that the words could be about"};
  window_.back().images.push_back(session_->words(words));
  return {};
}

bool SegmentAnswerer::may_look_closer(Duration waited) {
  if (options_.detail != Detail::crop) return false;
  const bool may = budget_.plan(waited, /*encoded=*/true).detail;
  if (!may) ++given_up_.closer_looks;
  return may;
}

Result<Answer> SegmentAnswerer::answer(const std::string &question, std::stop_token stop,
                                       const TokenListener &listener, Duration waited) {
  if (window_.empty())
    return Status{StatusKind::invalid_argument,
                  "\"" + question + "\" cannot be answered: no picture was seen yet"};
  std::vector<EncodedImage> images;
  for (const auto &seen : window_) {
    images.insert(images.end(), seen.images.begin(), seen.images.end());
    for (const auto &learnt : seen.learnt) images.push_back(learnt.words);
  }
  AskOptions asking;
  asking.grammar = grammar_;
  asking.listener = listener;
  asking.max_tokens = budget_.plan(waited, /*encoded=*/true).max_tokens;
  auto made = session_->ask(question, images, stop, asking);
  if (!made.ok()) return made.status();
  auto &answer = made.value();
  answer.about = {window_.front().pts, window_.back().pts};
  answer.timings.encode = window_.back().encode_time;
  budget_.learn(answer);
  learn_attention(answer.attention);
  if (answer.truncated && asking.max_tokens < options_.session.max_tokens) ++given_up_.answers_shortened;
  return made;
}

void SegmentAnswerer::remember(Seen seen) {
  window_.push_back(std::move(seen));
  if (static_cast<int>(window_.size()) > options_.window)
    window_.erase(std::ranges::min_element(window_.begin(), window_.end() - 1, {}, &Seen::attention));
  for (auto &one : window_) one.attention = 0;
}

void SegmentAnswerer::learn_attention(std::span<const float> attention) {
  std::size_t i = 0;
  for (auto &one : window_)
    for (std::size_t k = 0; k < one.images.size() + one.learnt.size() && i < attention.size(); ++k)
      one.attention += attention[i++];
}

}  // namespace saccade
