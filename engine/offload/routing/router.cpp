#include "offload/routing/router.h"

#include <algorithm>

namespace saccade {

namespace {

constexpr double kBytesPerPixel = 0.25;     // of a JPEG on the wire, base64 included, before any was sent
constexpr double kWeightOfTheNewest = 0.3;  // in their mean: the next picture looks like this one
constexpr std::size_t kMostCalls = 1000;    // between two looks, that are told apart
constexpr std::size_t kMostBytes = std::size_t{1} << 40;  // of one modality; what claims more is mistaken

}  // namespace

Router::Router(RouterSettings settings, CostPriors priors)
    : settings_(settings),
      costs_(priors),
      bytes_per_pixel_(kBytesPerPixel, kWeightOfTheNewest),
      spend_({.cap_per_hour = settings.budget_per_hour}) {}

RouteDecision Router::ask(RouteStage stage, const RouterInput &input) {
  auto decision = route(stage, settings_, input, state_for(stage, input));
  sides_ = sides_after(decision, settings_);
  return decision;
}

RouterState Router::state_for(RouteStage stage, const RouterInput &input) {
  // Of an answer that is not made yet, nobody knows the length.
  const bool drafted = stage == RouteStage::decide && input.draft_tokens > 0;
  const auto tokens = drafted ? std::optional<double>(input.draft_tokens) : std::nullopt;
  const auto cloud = [&](std::size_t bytes) { return costs_.cloud({bytes, tokens}, input.link); };
  const auto video = std::min(input.video_bytes, kMostBytes);
  const auto audio = std::min(input.audio_bytes, kMostBytes);
  const auto &call = costs_.call();

  RouterState state;
  state.edge = costs_.edge({.queue = input.edge_queue});
  state.edge_work = costs_.edge({}).mean;
  state.cloud_video = cloud(video);
  state.cloud_audio = cloud(audio);
  state.cloud_both = cloud(video + audio);
  state.upload_video = costs_.upload(video);
  state.upload_audio = costs_.upload(audio);
  state.compress = costs_.compress();
  state.cloud_per_token = from_seconds(std::min(call.seconds_per_token, 3600.0));
  state.cloud_prefill = from_seconds(std::min(call.service, 3600.0));
  state.round_trip = input.link.connect_time > Duration::zero()
                         ? input.link.connect_time
                         : from_seconds(std::min(call.latency, 3600.0));
  state.acceptance = acceptance_.value();
  state.doubt = doubt_(features_of(input));
  state.price = spend_.price(input.now);
  state.typical_spend = spend_.typical();
  state.sides = sides_;
  return state;
}

void Router::picture_sent(double pixels, double bytes) {
  if (pixels > 0) bytes_per_pixel_.add(bytes / pixels);
}

std::size_t Router::picture_bytes(double pixels) const {
  return static_cast<std::size_t>(
      bounded(bytes_per_pixel_.mean() * pixels, 0, static_cast<double>(kMostBytes), 0));
}

void Router::sent(std::size_t bytes, std::size_t calls, Duration now) {
  const auto amount = static_cast<double>(bytes);
  const double money =
      settings_.money_per_call * static_cast<double>(calls) + settings_.money_per_megabyte * amount / 1e6;
  const double spent = settings_.budget_unit == BudgetUnit::bytes ? amount : money;
  // Each call by itself, since the price learns what one usually spends.
  const auto parts = std::clamp<std::size_t>(calls, 1, kMostCalls);
  for (std::size_t i = 0; i < parts; ++i) spend_.spent(spent / static_cast<double>(parts), now);
}

}  // namespace saccade
