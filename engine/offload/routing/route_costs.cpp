#include "offload/routing/route_costs.h"

#include <algorithm>

#include "offload/routing/speculation.h"
#include "offload/routing/spend_price.h"

namespace saccade {

namespace {

constexpr double kMegabyte = 1e6;

double of_slo(const RouterSettings &s, Duration wait) { return to_seconds(wait) / to_seconds(s.slo); }

double megabytes(const RouterInput &input, Cargo cargo) {
  const auto bytes = (cargo.video ? static_cast<double>(input.video_bytes) : 0.0) +
                     (cargo.audio ? static_cast<double>(input.audio_bytes) : 0.0);
  return bytes / kMegabyte;
}

// Energy, money and the budget's price of one call, in units of J.
double cost_of_sending(const RouterSettings &s, const RouterInput &input, const RouterState &state,
                       Cargo cargo) {
  const double sent = megabytes(input, cargo);
  const double joules = s.radio_joules_per_megabyte * sent;
  const double money = s.money_per_call + s.money_per_megabyte * sent;
  double cost = s.energy_weight * joules / s.energy_unit + s.money_weight * money / s.money_unit;
  if (s.policy == OffloadPolicy::budget) {
    const double amount = s.budget_unit == BudgetUnit::bytes ? sent * kMegabyte : money;
    cost += SpendPrice::cost(state.price, state.typical_spend, amount);
  }
  return cost;
}

// The cloud cannot judge what it is not shown: its answer is worth the share of the need that it sees.
double cloud_error(const RouterSettings &s, const RouterInput &input, Cargo cargo) {
  const double video = input.has_video ? 1 - input.mas_video : 0;
  const double audio = input.has_audio ? 1 - input.mas_audio : 0;
  const double sum = video + audio;
  // Where nothing is needed, all of it together is.
  const bool all = cargo.video == input.has_video && cargo.audio == input.has_audio;
  const double seen = sum > 0 ? ((cargo.video ? video : 0) + (cargo.audio ? audio : 0)) / sum : (all ? 1 : 0);
  return 1 - (1 - s.cloud_error) * seen;
}

Forecast forecast(const RouterState &state, Cargo cargo) {
  if (cargo.video && cargo.audio) return state.cloud_both;
  return cargo.video ? state.cloud_video : state.cloud_audio;
}

Duration gain_by_verifying(RouteStage stage, const RouterSettings &s, const RouterInput &input,
                           const RouterState &state) {
  const bool possible = stage == RouteStage::decide && input.cloud_verifies &&
                        input.draft_tokens >= std::max(1U, s.least_tokens_to_verify);
  if (!possible) return {};
  return verification_gain({state.acceptance, state.cloud_per_token, state.round_trip, state.cloud_prefill},
                           input.draft_tokens);
}

bool better(const CloudWay &a, const CloudWay &b) {
  if (a.in_time != b.in_time) return a.in_time;
  return a.in_time ? a.cost < b.cost : a.p95 < b.p95;
}

}  // namespace

Cargo everything(const RouterInput &input) { return {input.has_video, input.has_audio}; }

bool in_time(const RouterSettings &settings, const RouterInput &input, Duration p95) {
  return settings.latency_budget == Duration::zero() || input.elapsed + p95 <= settings.latency_budget;
}

CloudWay cloud_way(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                   const RouterState &state, Cargo cargo) {
  const auto asking = forecast(state, cargo);
  const auto gain = gain_by_verifying(stage, settings, input, state);
  CloudWay way;
  way.cargo = cargo;
  way.verify = gain > Duration::zero();
  const auto sooner = way.verify ? std::min(gain, asking.mean) : Duration::zero();
  way.mean = asking.mean - sooner;
  way.p95 = asking.p95 - sooner;
  way.cost = of_slo(settings, way.mean) + cost_of_sending(settings, input, state, cargo) +
             settings.error_weight * cloud_error(settings, input, cargo);
  way.in_time = in_time(settings, input, way.p95);
  return way;
}

CloudWay best_cloud_way(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                        const RouterState &state) {
  auto best = cloud_way(stage, settings, input, state, everything(input));
  if (!input.has_video || !input.has_audio) return best;
  for (const auto cargo : {Cargo{true, false}, Cargo{false, true}}) {
    const auto way = cloud_way(stage, settings, input, state, cargo);
    if (better(way, best)) best = way;
  }
  return best;
}

double edge_error(const RouterSettings &settings, const RouterInput &input, const RouterState &state) {
  if (!input.draft_confidence) return state.doubt;
  const bool hesitates = (input.draft_margin && *input.draft_margin < settings.least_margin) ||
                         (input.draft_entropy && *input.draft_entropy > settings.most_entropy);
  return std::max(1 - *input.draft_confidence, hesitates ? settings.hesitant_error : 0.0);
}

double cost_of_drafting(const RouterSettings &settings, const RouterState &state, const CloudWay &after) {
  const double joules = settings.edge_watts * to_seconds(state.edge_work);
  const double poor = std::min(settings.error_weight, after.cost);
  return of_slo(settings, state.edge.mean) + settings.energy_weight * joules / settings.energy_unit +
         state.doubt * poor;
}

bool shadow_upload_pays(const RouterSettings &settings, const RouterInput &input, const RouterState &state,
                        const CloudWay &after) {
  // Not even the worst draft would be sent.
  if (!after.in_time || after.cost >= settings.error_weight) return false;
  const auto upload = (after.cargo.video ? state.upload_video : Duration{}) +
                      (after.cargo.audio ? state.upload_audio : Duration{});
  const double saved = to_seconds(std::min(upload, state.edge.mean));
  const double in_vain = to_seconds(state.compress) +
                         to_seconds(settings.slo) * cost_of_sending(settings, input, state, after.cargo);
  return state.doubt * saved > (1 - state.doubt) * in_vain;
}

}  // namespace saccade
