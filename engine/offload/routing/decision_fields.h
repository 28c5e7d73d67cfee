// The members of what decision_log.h writes, each named once, for writing and for reading alike. Internal to
// decision_log.cpp: `visit` is called with the JSON name and the member.
#pragma once

#include <array>
#include <utility>

#include "offload/routing/routing.h"

namespace saccade {

template <typename Enum>
struct Names;  // of each value, in the order of the values

template <>
struct Names<OffloadPolicy> {
  static constexpr std::array all = {"edge", "cloud", "threshold", "msao", "budget"};
};
template <>
struct Names<BudgetUnit> {
  static constexpr std::array all = {"bytes", "money"};
};
template <>
struct Names<Destination> {
  static constexpr std::array all = {"edge", "cloud"};
};
template <>
struct Names<RouteStage> {
  static constexpr std::array all = {"plan", "decide"};
};
template <>
struct Names<RouteAction> {
  static constexpr std::array all = {"edge", "edge-with-upload", "ask", "verify"};
};
template <>
struct Names<Route> {
  static constexpr std::array all = {"auto", "local", "cloud"};
};

#define SACCADE_FIELD(member) visit(#member, it.member)

template <typename Visit>
void each_field(Visit &visit, Forecast &it) {
  SACCADE_FIELD(mean);
  SACCADE_FIELD(p95);
}

template <typename Visit>
void each_field(Visit &visit, LinkSnapshot &it) {
  SACCADE_FIELD(up);
  SACCADE_FIELD(round_trip);
  SACCADE_FIELD(throughput);
  SACCADE_FIELD(throughput_p10);
  SACCADE_FIELD(loss);
  SACCADE_FIELD(connect_time);
  SACCADE_FIELD(failures_in_a_row);
}

template <typename Visit>
void each_field(Visit &visit, RouterSettings &it) {
  SACCADE_FIELD(policy);
  SACCADE_FIELD(complexity_threshold);
  SACCADE_FIELD(confidence_threshold);
  SACCADE_FIELD(hysteresis);
  SACCADE_FIELD(edge_queue_limit);
  SACCADE_FIELD(sound_threshold);
  SACCADE_FIELD(text_threshold);
  SACCADE_FIELD(rich_bandwidth);
  SACCADE_FIELD(slo);
  SACCADE_FIELD(latency_budget);
  SACCADE_FIELD(error_weight);
  SACCADE_FIELD(cloud_error);
  SACCADE_FIELD(least_margin);
  SACCADE_FIELD(most_entropy);
  SACCADE_FIELD(hesitant_error);
  SACCADE_FIELD(energy_weight);
  SACCADE_FIELD(energy_unit);
  SACCADE_FIELD(edge_watts);
  SACCADE_FIELD(radio_joules_per_megabyte);
  SACCADE_FIELD(money_weight);
  SACCADE_FIELD(money_unit);
  SACCADE_FIELD(money_per_call);
  SACCADE_FIELD(money_per_megabyte);
  SACCADE_FIELD(least_tokens_to_verify);
  SACCADE_FIELD(longest_without_draft);
  SACCADE_FIELD(budget_unit);
  SACCADE_FIELD(budget_per_hour);
}

template <typename Visit>
void each_field(Visit &visit, RouterInput &it) {
  SACCADE_FIELD(hint);
  SACCADE_FIELD(complexity);
  SACCADE_FIELD(text_complexity);
  SACCADE_FIELD(sound_complexity);
  SACCADE_FIELD(mas_video);
  SACCADE_FIELD(mas_audio);
  SACCADE_FIELD(has_video);
  SACCADE_FIELD(has_audio);
  SACCADE_FIELD(video_bytes);
  SACCADE_FIELD(audio_bytes);
  SACCADE_FIELD(draft_confidence);
  SACCADE_FIELD(draft_margin);
  SACCADE_FIELD(draft_entropy);
  SACCADE_FIELD(draft_tokens);
  SACCADE_FIELD(cloud_linked);
  SACCADE_FIELD(link_up);
  SACCADE_FIELD(cloud_verifies);
  SACCADE_FIELD(edge_queue);
  SACCADE_FIELD(elapsed);
  SACCADE_FIELD(now);
  SACCADE_FIELD(link);
}

template <typename Visit>
void each_field(Visit &visit, RouterSides &it) {
  SACCADE_FIELD(complex_picture);
  SACCADE_FIELD(complex_sound);
  SACCADE_FIELD(rich_link);
  SACCADE_FIELD(in_cloud_for);
}

template <typename Visit>
void each_field(Visit &visit, RouterState &it) {
  SACCADE_FIELD(edge);
  SACCADE_FIELD(edge_work);
  SACCADE_FIELD(cloud_video);
  SACCADE_FIELD(cloud_audio);
  SACCADE_FIELD(cloud_both);
  SACCADE_FIELD(upload_video);
  SACCADE_FIELD(upload_audio);
  SACCADE_FIELD(compress);
  SACCADE_FIELD(cloud_per_token);
  SACCADE_FIELD(cloud_prefill);
  SACCADE_FIELD(round_trip);
  SACCADE_FIELD(acceptance);
  SACCADE_FIELD(doubt);
  SACCADE_FIELD(price);
  SACCADE_FIELD(typical_spend);
  SACCADE_FIELD(sides);
}

template <typename Visit>
void each_field(Visit &visit, RouteDecision &it) {
  SACCADE_FIELD(stage);
  SACCADE_FIELD(action);
  SACCADE_FIELD(destination);
  SACCADE_FIELD(video);
  SACCADE_FIELD(audio);
  SACCADE_FIELD(foreseen);
  SACCADE_FIELD(reason);
  SACCADE_FIELD(input);
  SACCADE_FIELD(state);
}

#undef SACCADE_FIELD

}  // namespace saccade
