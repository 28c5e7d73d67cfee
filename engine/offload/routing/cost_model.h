// How long a segment takes on the edge and in the cloud, said before it is answered and learnt from what was.
//
//     T_edge  = T_queue + encode + prefill tokens x t_prefill + answer tokens x t_decode
//     T_cloud = T_compress + latency + bytes x seconds per byte + service + answer tokens x t_token
//
// The edge's stages are exponentially weighted means of the answers' own timings, the cloud's terms a
// recursive least squares (call_time_fit.h), to which comes the median of what the last five calls took
// beyond it: a link gets worse within seconds, and the fit within fifty calls. That median fades while no
// call is made, since otherwise nobody would learn that the link got better. The p95 of either way adds what
// 95 of 100 recent segments stayed below, beyond their prediction. Before anything was observed the priors
// count; no observation, be it no number or an hour long, makes a forecast undefined or unbounded. Not
// thread-safe: guard it with the lock of the object that owns it.
#pragma once

#include <cstddef>
#include <optional>

#include "base/statistics.h"
#include "base/time.h"
#include "mllm/answer.h"
#include "offload/cloud/link_estimate.h"
#include "offload/routing/call_time_fit.h"
#include "offload/routing/running_mean.h"

namespace saccade {

struct CostPriors {
  // Of a small model on two cores, as DESIGN.md measured it; the first few answers put them right.
  Duration encode = std::chrono::milliseconds(500);
  Duration prefill_per_token = std::chrono::milliseconds(2);
  Duration decode_per_token = std::chrono::milliseconds(15);
  double prefill_tokens = 80;
  double answer_tokens = 16;
  Duration compress = std::chrono::milliseconds(10);  // of a picture; stays, since the sink makes it
  CallTimeCoefficients call{};
};

// Mean and 95th percentile, each from zero to an hour, and p95 >= mean.
struct Forecast {
  Duration mean{};
  Duration p95{};

  bool operator==(const Forecast &) const = default;
};

// What is known of a segment beforehand. Where a count is missing, the recent segments' mean stands in.
struct EdgeWork {
  unsigned queue = 0;  // segments that wait before it
  std::optional<double> prefill_tokens{};
  std::optional<double> answer_tokens{};
};
struct CloudWork {
  std::size_t bytes = 0;  // still to be sent
  std::optional<double> answer_tokens{};
};

class CostModel {
 public:
  explicit CostModel(CostPriors priors = {});

  // A local answer with its timings and token counts.
  void edge_answered(const Answer &answer);
  void cloud_answered(const CallTimes &call);

  Forecast edge(const EdgeWork &work) const;
  // Besides the fit, what the link says of itself counts where it is worse: a connection that opens more
  // slowly than the fitted latency, attempts that are lost and made again, an upload of this size at the p10
  // of throughput.
  Forecast cloud(const CloudWork &work, const LinkSnapshot &link) const;
  // Of these bytes over the wire, latency left out: what a shadow upload can hide.
  Duration upload(std::size_t bytes) const;
  Duration compress() const;

  double answer_tokens() const { return answer_tokens_.mean(); }
  const CallTimeCoefficients &call() const { return fit_.coefficients(); }

 private:
  double edge_service(double prefill_tokens, double answer_tokens) const;  // seconds, the queue left out
  double call_time(double bytes, double tokens) const;                     // likewise, compressing left out

  RunningMean encode_;  // these four in seconds
  RunningMean prefill_;
  RunningMean decode_;
  RunningMean edge_total_;
  RunningMean prefill_tokens_;
  RunningMean answer_tokens_;
  CallTimeFit fit_;
  double compress_;  // seconds
  // How much longer than foreseen, negative when shorter; the quantiles are taken when something is added.
  DurationStatistics edge_surprise_;
  DurationStatistics cloud_surprise_;
  DurationStatistics beyond_fit_;
  double lately_ = 0;         // seconds; the median of these, faded
  double edge_p95_surprise_;  // seconds, >= 0
  double cloud_p95_surprise_;
};

}  // namespace saccade
