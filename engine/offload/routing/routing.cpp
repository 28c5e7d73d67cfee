#include "offload/routing/routing.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "offload/routing/route_costs.h"
#include "offload/routing/running_mean.h"

namespace saccade {

namespace {

constexpr Duration kMost = std::chrono::hours(1);  // of anything that is waited for
constexpr unsigned kMostCounted = 1000000;
constexpr double kMuch = 1e12;  // of any weight, unit, price or rate

// Everything in its range: what the rules may rely on.
struct Case {
  RouteStage stage;
  RouterSettings settings;
  RouterInput input;
  RouterState state;
};

struct Verdict {
  RouteAction action;
  Cargo cargo;
  Duration foreseen;
  std::string reason;
};

[[gnu::format(printf, 1, 2)]] std::string words(const char *format, ...) {
  char text[200];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

void bring_into_range(double &value, double least, double most, double otherwise) {
  value = bounded(value, least, most, otherwise);
}
void bring_into_range(Duration &value) { value = std::clamp(value, Duration::zero(), kMost); }
void bring_into_range(Forecast &value) {
  bring_into_range(value.mean);
  value.p95 = std::clamp(value.p95, value.mean, kMost);
}

RouterSettings sound(RouterSettings s) {
  const RouterSettings usual;
  bring_into_range(s.complexity_threshold, -1, 2, usual.complexity_threshold);
  bring_into_range(s.confidence_threshold, -1, 2, usual.confidence_threshold);
  bring_into_range(s.sound_threshold, -1, 2, usual.sound_threshold);
  bring_into_range(s.text_threshold, -1, 2, usual.text_threshold);
  bring_into_range(s.hysteresis, 0, 1, usual.hysteresis);
  bring_into_range(s.rich_bandwidth, 0, kMuch, 0);
  s.slo = std::clamp<Duration>(s.slo, std::chrono::milliseconds(1), kMost);
  bring_into_range(s.latency_budget);
  bring_into_range(s.cloud_error, 0, 1, usual.cloud_error);
  bring_into_range(s.least_margin, 0, 1, usual.least_margin);
  bring_into_range(s.most_entropy, 0, 1, usual.most_entropy);
  bring_into_range(s.hesitant_error, 0, 1, usual.hesitant_error);
  for (auto *weight : {&s.error_weight, &s.energy_weight, &s.money_weight, &s.edge_watts,
                       &s.radio_joules_per_megabyte, &s.money_per_call, &s.money_per_megabyte})
    bring_into_range(*weight, 0, kMuch, 0);
  bring_into_range(s.energy_unit, 1e-9, kMuch, usual.energy_unit);
  bring_into_range(s.money_unit, 1e-9, kMuch, usual.money_unit);
  return s;
}

RouterInput sound(RouterInput in) {
  bring_into_range(in.complexity, 0, 1, 0);
  bring_into_range(in.text_complexity, 0, 1, 0);
  bring_into_range(in.sound_complexity, 0, 1, 0);
  bring_into_range(in.mas_video, 0, 1, 0);
  bring_into_range(in.mas_audio, 0, 1, 0);
  if (in.draft_confidence) bring_into_range(*in.draft_confidence, 0, 1, 0);
  if (in.draft_margin) bring_into_range(*in.draft_margin, 0, 1, 0);
  if (in.draft_entropy) bring_into_range(*in.draft_entropy, 0, 1, 1);
  bring_into_range(in.elapsed);
  bring_into_range(in.link.throughput, 0, kMuch, 0);
  return in;
}

RouterState sound(RouterState st) {
  for (auto *forecast : {&st.edge, &st.cloud_video, &st.cloud_audio, &st.cloud_both})
    bring_into_range(*forecast);
  for (auto *wait : {&st.edge_work, &st.upload_video, &st.upload_audio, &st.compress, &st.cloud_per_token,
                     &st.cloud_prefill, &st.round_trip})
    bring_into_range(*wait);
  bring_into_range(st.acceptance, 0, 1, 0);
  bring_into_range(st.doubt, 0, 1, 0.5);
  bring_into_range(st.price, 0, kMuch, 0);
  bring_into_range(st.typical_spend, 0, 1e18, 0);
  return st;
}

double milliseconds(Duration d) { return to_milliseconds(d); }

Verdict on_edge(const Case &c, std::string reason) {
  return {
      RouteAction::edge, {}, c.stage == RouteStage::plan ? c.state.edge.mean : Duration{}, std::move(reason)};
}

Verdict in_cloud(const CloudWay &way, std::string reason) {
  if (way.verify) reason += "; verifying the draft is sooner than asking plainly";
  return {way.verify ? RouteAction::verify : RouteAction::ask, way.cargo, way.mean, std::move(reason)};
}

Verdict in_cloud(const Case &c, Cargo cargo, std::string reason) {
  return in_cloud(cloud_way(c.stage, c.settings, c.input, c.state, cargo), std::move(reason));
}

// --- MoA-Off ------------------------------------------------------------------------------------------

double line(double threshold, bool above, double hysteresis) { return threshold - (above ? hysteresis : 0); }

bool is_complex_picture(const Case &c) {
  const auto &s = c.settings;
  return c.input.has_video &&
         c.input.complexity > line(s.complexity_threshold, c.state.sides.complex_picture, s.hysteresis);
}

bool is_complex_sound(const Case &c) {
  const auto &s = c.settings;
  return c.input.has_audio &&
         c.input.sound_complexity > line(s.sound_threshold, c.state.sides.complex_sound, s.hysteresis);
}

bool is_rich_link(const Case &c) {
  const auto &s = c.settings;
  const double kept = c.state.sides.rich_link ? 1 - s.hysteresis : 1;
  return s.rich_bandwidth > 0 && c.input.link.throughput > s.rich_bandwidth * kept;
}

Verdict by_confidence(const Case &c) {
  const double confidence = *c.input.draft_confidence;
  const double least = c.settings.confidence_threshold;
  if (confidence >= least)
    return on_edge(c, words("the draft's confidence %.2f is at least %.2f", confidence, least));
  return in_cloud(c, everything(c.input),
                  words("the draft's confidence %.2f is below %.2f", confidence, least));
}

Verdict by_threshold(const Case &c) {
  const auto &s = c.settings;
  const auto &in = c.input;
  if (c.stage == RouteStage::decide && in.draft_confidence) return by_confidence(c);
  if (s.edge_queue_limit > 0 && in.edge_queue > s.edge_queue_limit)
    return in_cloud(c, everything(in), words("%u segments wait for the edge", in.edge_queue));
  if (is_rich_link(c))
    return in_cloud(c, everything(in),
                    words("the link carries %.0f kB/s, more than %.0f", in.link.throughput / 1e3,
                          s.rich_bandwidth / 1e3));
  if (in.text_complexity > s.text_threshold)
    return in_cloud(
        c, everything(in),
        words("the question's complexity %.2f is above %.2f", in.text_complexity, s.text_threshold));
  const Cargo cargo{is_complex_picture(c), is_complex_sound(c)};
  const double picture = line(s.complexity_threshold, c.state.sides.complex_picture, s.hysteresis);
  if (cargo.video) return in_cloud(c, cargo, words("complexity %.2f is above %.2f", in.complexity, picture));
  if (cargo.audio)
    return in_cloud(c, cargo,
                    words("the sound's complexity %.2f is above %.2f", in.sound_complexity,
                          line(s.sound_threshold, c.state.sides.complex_sound, s.hysteresis)));
  return on_edge(c, words("complexity %.2f is not above %.2f", in.complexity, picture));
}

// --- By cost ------------------------------------------------------------------------------------------

Verdict plan_by_cost(const Case &c) {
  const auto &s = c.settings;
  const auto best = best_cloud_way(c.stage, s, c.input, c.state);
  const double drafting = cost_of_drafting(s, c.state, best);
  const double edge_p95 = milliseconds(c.state.edge.p95);
  const unsigned in_cloud_for = c.state.sides.in_cloud_for;
  // To come back from the cloud, the edge must be in time with some room.
  const double room = in_cloud_for > 0 ? 1 - s.hysteresis : 1;
  const auto budget = from_seconds(to_seconds(s.latency_budget) * room);
  const bool edge_in_time =
      s.latency_budget == Duration::zero() || c.input.elapsed + c.state.edge.p95 <= budget;
  if (!edge_in_time && (best.in_time || best.p95 < c.state.edge.p95))
    return in_cloud(best, words("a draft would take up to %.0f ms, beyond the budget; the cloud %.0f ms",
                                edge_p95, milliseconds(best.p95)));
  const double line = drafting + (in_cloud_for > 0 ? s.hysteresis : -s.hysteresis);
  const bool draft_is_due = in_cloud_for >= s.longest_without_draft;
  if (edge_in_time && best.in_time && best.cost < line && !draft_is_due)
    return in_cloud(best, words("the cloud at once costs %.2f, a draft first %.2f, poor with %.2f", best.cost,
                                drafting, c.state.doubt));
  const auto reason = words("a draft first costs %.2f, the cloud %.2f%s; poor with %.2f", drafting, best.cost,
                            best.in_time ? "" : " and is too late", c.state.doubt);
  auto verdict = on_edge(c, reason);
  if (shadow_upload_pays(s, c.input, c.state, best)) {
    verdict.action = RouteAction::edge_with_upload;
    verdict.reason += "; what it may be asked about is uploaded meanwhile";
  }
  return verdict;
}

Verdict decide_by_cost(const Case &c) {
  const double wrong = edge_error(c.settings, c.input, c.state);
  const double keeping = c.settings.error_weight * wrong;
  const auto best = best_cloud_way(c.stage, c.settings, c.input, c.state);
  if (!best.in_time)
    return on_edge(c, words("the cloud would take up to %.0f ms, beyond the budget", milliseconds(best.p95)));
  const auto reason =
      words("the draft, wrong with %.2f, costs %.2f, the cloud %.2f", wrong, keeping, best.cost);
  return best.cost < keeping ? in_cloud(best, reason) : on_edge(c, reason);
}

Verdict verdict_on(const Case &c) {
  const auto policy = c.settings.policy;
  const auto &in = c.input;
  if (policy == OffloadPolicy::edge) return on_edge(c, "the policy is edge only");
  if (!in.cloud_linked) return on_edge(c, "no cloud is linked");
  if (!in.link_up || !in.link.up) return on_edge(c, "the link to the cloud is down");
  if (!in.has_video && !in.has_audio) return on_edge(c, "there is nothing to send");
  if (policy == OffloadPolicy::cloud) return in_cloud(c, everything(in), "the policy is cloud only");
  if (in.hint == Route::local) return on_edge(c, "the gate asks for the edge");
  if (in.hint == Route::cloud) return in_cloud(c, everything(in), "the gate asks for the cloud");
  if (policy == OffloadPolicy::threshold) return by_threshold(c);
  return c.stage == RouteStage::plan ? plan_by_cost(c) : decide_by_cost(c);
}

}  // namespace

RouterInput router_input_of(const MasReport &report) {
  RouterInput input;
  input.hint = report.route;
  input.complexity = report.complexity;
  input.text_complexity = report.text_complexity;
  input.sound_complexity = 1 - report.mas_audio;
  input.mas_video = report.mas_video;
  input.mas_audio = report.mas_audio;
  input.has_audio = report.sound_active;
  return input;
}

SegmentFeatures features_of(const RouterInput &input) {
  return {1 - input.mas_video, input.has_audio ? 1 - input.mas_audio : 0, input.complexity,
          input.text_complexity};
}

RouteDecision route(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                    const RouterState &state) {
  const Case c{stage, sound(settings), sound(input), sound(state)};
  auto verdict = verdict_on(c);
  const auto where = [](bool goes) { return goes ? Destination::cloud : Destination::edge; };
  RouteDecision decision;
  decision.destination = where(verdict.cargo.video || verdict.cargo.audio);
  decision.reason = std::move(verdict.reason);
  decision.action = verdict.action;
  decision.video = where(verdict.cargo.video);
  decision.audio = where(verdict.cargo.audio);
  decision.foreseen = verdict.foreseen;
  decision.stage = stage;
  decision.input = input;
  decision.state = state;
  return decision;
}

Cargo cargo_of(const RouteDecision &decision, const RouterSettings &settings) {
  if (decision.action != RouteAction::edge_with_upload)
    return {decision.video == Destination::cloud, decision.audio == Destination::cloud};
  return best_cloud_way(decision.stage, sound(settings), sound(decision.input), sound(decision.state)).cargo;
}

RouterSides sides_after(const RouteDecision &decision, const RouterSettings &settings) {
  const Case c{decision.stage, sound(settings), sound(decision.input), sound(decision.state)};
  auto for_now = c.state.sides.in_cloud_for;
  if (c.stage == RouteStage::plan)
    for_now = decision.destination == Destination::cloud ? std::min(for_now, kMostCounted) + 1 : 0;
  return {is_complex_picture(c), is_complex_sound(c), is_rich_link(c), for_now};
}

}  // namespace saccade
