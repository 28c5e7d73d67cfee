// Segments for the router's tests: random ones with sound numbers, and with anything that a double can hold.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <random>

#include "offload/routing/routing.h"

namespace saccade::test {

inline bool goes(const RouteDecision &decision) { return decision.destination == Destination::cloud; }

class RandomCases {
 public:
  explicit RandomCases(std::uint32_t seed) : random_(seed) {}

  double between(double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random_);
  }
  unsigned below(unsigned count) { return static_cast<unsigned>(random_() % count); }
  bool once_in(unsigned count) { return below(count) == 0; }
  Duration milliseconds(double most) { return from_seconds(between(0, most) / 1e3); }

  // In their ranges, with a draft, linked, and the link up.
  RouterInput input() {
    RouterInput in;
    in.complexity = between(0, 1);
    in.text_complexity = between(0, 1);
    in.sound_complexity = between(0, 1);
    in.mas_video = between(0, 1);
    in.mas_audio = between(0, 1);
    in.has_audio = once_in(2);
    in.has_video = !in.has_audio || !once_in(5);
    in.video_bytes = below(200000);
    in.audio_bytes = below(100000);
    in.draft_confidence = between(0, 1);
    if (once_in(2)) in.draft_margin = between(0, 1);
    if (once_in(2)) in.draft_entropy = between(0, 1);
    in.draft_tokens = below(64);
    in.cloud_linked = in.link_up = true;
    in.cloud_verifies = once_in(2);
    in.edge_queue = below(5);
    in.elapsed = milliseconds(2000);
    in.link.throughput = between(0, 5e6);
    in.link.throughput_p10 = in.link.throughput / 2;
    in.link.connect_time = milliseconds(200);
    return in;
  }

  RouterState state() {
    RouterState st;
    const auto forecast = [this](double most) {
      const auto mean = milliseconds(most);
      return Forecast{mean, mean + milliseconds(most)};
    };
    st.edge = forecast(3000);
    st.edge_work = st.edge.mean / 2;
    st.cloud_video = forecast(2000);
    st.cloud_audio = forecast(1000);
    st.cloud_both = {st.cloud_video.mean + st.cloud_audio.mean, st.cloud_video.p95 + st.cloud_audio.p95};
    st.upload_video = st.cloud_video.mean / 2;
    st.upload_audio = st.cloud_audio.mean / 2;
    st.compress = milliseconds(20);
    st.cloud_per_token = milliseconds(50);
    st.cloud_prefill = milliseconds(200);
    st.round_trip = milliseconds(200);
    st.acceptance = between(0, 1);
    st.doubt = between(0, 1);
    st.price = between(0, 2);
    st.typical_spend = between(0, 1e5);
    st.sides = {once_in(2), once_in(2), once_in(2), below(25)};
    return st;
  }

  RouterSettings settings(OffloadPolicy policy) {
    RouterSettings s;
    s.policy = policy;
    s.edge_queue_limit = below(4);
    s.rich_bandwidth = once_in(2) ? 0 : between(0, 5e6);
    s.text_threshold = between(0, 1);
    s.latency_budget = once_in(2) ? Duration{} : milliseconds(5000);
    s.money_per_call = between(0, 0.002);
    s.budget_per_hour = 1e6;
    return s;
  }

  // What a broken sensor, a division by zero or an unset variable may leave behind.
  double anything() {
    constexpr auto inf = std::numeric_limits<double>::infinity();
    constexpr std::array values = {
        std::numeric_limits<double>::quiet_NaN(), inf, -inf, -1.0, 0.0, 1e308, 1.0, -1e308};
    return once_in(3) ? between(-2, 2) : values[below(values.size())];
  }
  Duration any_duration() {
    constexpr std::array values = {Duration::min(), Duration::max(), Duration(-1), Duration::zero()};
    return once_in(2) ? milliseconds(5000) : values[below(values.size())];
  }

  RouterInput any_input() {
    auto in = input();
    for (auto *number : {&in.complexity, &in.text_complexity, &in.sound_complexity, &in.mas_video,
                         &in.mas_audio, &in.link.throughput, &in.link.throughput_p10, &in.link.loss})
      *number = anything();
    for (auto *maybe : {&in.draft_confidence, &in.draft_margin, &in.draft_entropy}) {
      maybe->reset();
      if (!once_in(3)) *maybe = anything();
    }
    in.hint = static_cast<Route>(below(3));
    in.has_video = once_in(2);
    in.video_bytes = once_in(3) ? std::numeric_limits<std::size_t>::max() : below(1000);
    in.edge_queue = once_in(3) ? std::numeric_limits<unsigned>::max() : below(9);
    in.draft_tokens = once_in(3) ? std::numeric_limits<unsigned>::max() : below(9);
    in.cloud_linked = !once_in(4);
    in.link_up = !once_in(4);
    in.elapsed = any_duration();
    in.now = any_duration();
    in.link.connect_time = any_duration();
    in.link.round_trip = any_duration();
    return in;
  }

  RouterState any_state() {
    auto st = state();
    for (auto *forecast : {&st.edge, &st.cloud_video, &st.cloud_audio, &st.cloud_both})
      *forecast = {any_duration(), any_duration()};
    for (auto *wait : {&st.edge_work, &st.upload_video, &st.upload_audio, &st.compress, &st.cloud_per_token,
                       &st.cloud_prefill, &st.round_trip})
      *wait = any_duration();
    for (auto *number : {&st.acceptance, &st.doubt, &st.price, &st.typical_spend}) *number = anything();
    return st;
  }

  RouterSettings any_settings(OffloadPolicy policy) {
    auto s = settings(policy);
    for (auto *number : {&s.complexity_threshold, &s.confidence_threshold, &s.hysteresis, &s.error_weight,
                         &s.cloud_error, &s.energy_weight, &s.energy_unit, &s.money_unit, &s.money_per_call,
                         &s.rich_bandwidth, &s.hesitant_error})
      if (once_in(3)) *number = anything();
    s.slo = any_duration();
    s.latency_budget = any_duration();
    return s;
  }

 private:
  std::mt19937 random_;
};

}  // namespace saccade::test
