#include "offload/routing/cost_model.h"

#include <algorithm>
#include <cmath>

namespace saccade {

namespace {

constexpr double kMostSeconds = 3600;
constexpr std::size_t kRecent = 64;     // enough for a p95, few enough to forget a bad quarter of an hour
constexpr std::size_t kLeastKnown = 5;  // observations before their p95 means more than the guess below
constexpr double kSurpriseBeforeKnown = 0.5;  // of the prior mean
constexpr std::size_t kLately = 5;            // calls; three of them make a change, one does not
constexpr double kFading = 0.98;              // per local answer since the last call
constexpr double kMostLoss = 0.9;             // a link that loses more is the circuit breaker's business

// Of what time per token means where there are fewer than one.
double tokens_of(double mean) { return std::max(mean, 1.0); }

Duration duration(double seconds) { return from_seconds(bounded(seconds, 0, kMostSeconds, kMostSeconds)); }

Forecast forecast(double mean, double p95) { return {duration(mean), duration(std::max(mean, p95))}; }

// Adds a surprise and says what 95 of 100 recent ones stayed below, at least zero.
double note_surprise(DurationStatistics &recent, double seconds, double before_known) {
  recent.add(from_seconds(bounded(seconds, -kMostSeconds, kMostSeconds, 0)));
  if (recent.count() < kLeastKnown) return before_known;
  return std::max(0.0, to_seconds(recent.quantile(0.95)));
}

}  // namespace

CostModel::CostModel(CostPriors priors)
    : encode_(to_seconds(priors.encode)),
      prefill_(to_seconds(priors.prefill_per_token) * priors.prefill_tokens),
      decode_(to_seconds(priors.decode_per_token) * priors.answer_tokens),
      edge_total_(encode_.mean() + prefill_.mean() + decode_.mean()),
      prefill_tokens_(priors.prefill_tokens),
      answer_tokens_(priors.answer_tokens),
      fit_(priors.call),
      compress_(bounded(to_seconds(priors.compress), 0, kMostSeconds, 0)),
      edge_surprise_(kRecent),
      cloud_surprise_(kRecent),
      beyond_fit_(kLately),
      edge_p95_surprise_(kSurpriseBeforeKnown * edge_total_.mean()),
      cloud_p95_surprise_(kSurpriseBeforeKnown * fit_.predict(0, priors.answer_tokens)) {}

void CostModel::edge_answered(const Answer &answer) {
  const auto &took = answer.timings;
  const auto tokens = static_cast<double>(answer.token_log_probabilities.size());
  const double read = answer.prompt_tokens_read;
  const double total = to_seconds(took.encode) + to_seconds(took.prefill) + to_seconds(took.decode);
  edge_p95_surprise_ = note_surprise(edge_surprise_, total - edge_service(read, tokens), edge_p95_surprise_);
  encode_.add(to_seconds(took.encode));
  prefill_.add(to_seconds(took.prefill));
  decode_.add(to_seconds(took.decode));
  edge_total_.add(total);
  prefill_tokens_.add(read);
  answer_tokens_.add(tokens);
  lately_ *= kFading;
}

void CostModel::cloud_answered(const CallTimes &call) {
  const bool sound = call.bytes >= 0 && call.tokens >= 0 && call.took >= 0;
  if (!sound) return;
  const double foreseen = call_time(call.bytes, call.tokens);
  cloud_p95_surprise_ = note_surprise(cloud_surprise_, call.took - foreseen, cloud_p95_surprise_);
  fit_.observe(call);
  const double beyond = call.took - fit_.predict(call.bytes, call.tokens);
  beyond_fit_.add(from_seconds(bounded(beyond, -kMostSeconds, kMostSeconds, 0)));
  lately_ = beyond_fit_.count() < kLately ? 0 : to_seconds(beyond_fit_.quantile(0.5));
}

double CostModel::call_time(double bytes, double tokens) const {
  return std::max(0.0, fit_.predict(bytes, tokens) + lately_);
}

double CostModel::edge_service(double prefill_tokens, double answer_tokens) const {
  const double per_prefill = prefill_.mean() / tokens_of(prefill_tokens_.mean());
  const double per_answer = decode_.mean() / tokens_of(answer_tokens_.mean());
  return encode_.mean() + prefill_tokens * per_prefill + answer_tokens * per_answer;
}

Forecast CostModel::edge(const EdgeWork &work) const {
  const auto count = [](const std::optional<double> &known, double otherwise) {
    return bounded(known.value_or(otherwise), 0, 1e6, otherwise);
  };
  const double own = edge_service(count(work.prefill_tokens, prefill_tokens_.mean()),
                                  count(work.answer_tokens, answer_tokens_.mean()));
  const double mean = own + work.queue * edge_total_.mean();
  // What many segments are late by adds up as independent errors do.
  return forecast(mean, mean + edge_p95_surprise_ * std::sqrt(work.queue + 1.0));
}

Forecast CostModel::cloud(const CloudWork &work, const LinkSnapshot &link) const {
  const double tokens =
      bounded(work.answer_tokens.value_or(answer_tokens_.mean()), 0, 1e6, answer_tokens_.mean());
  const auto bytes = static_cast<double>(work.bytes);
  const double slower_latency = std::max(0.0, to_seconds(link.connect_time) - fit_.coefficients().latency);
  const double attempts = 1 / (1 - bounded(link.loss, 0, kMostLoss, 0));
  const double mean = compress_ + attempts * (call_time(bytes, tokens) + slower_latency);
  double p95 = mean + attempts * cloud_p95_surprise_;
  if (link.throughput_p10 > 0) {
    const double slow_upload = bytes / link.throughput_p10 - to_seconds(upload(work.bytes));
    p95 = std::max(p95, mean + attempts * slow_upload);
  }
  return forecast(mean, p95);
}

Duration CostModel::upload(std::size_t bytes) const {
  return duration(static_cast<double>(bytes) * fit_.coefficients().seconds_per_byte);
}

Duration CostModel::compress() const { return duration(compress_); }

}  // namespace saccade
