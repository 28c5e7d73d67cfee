#include "offload/router.h"

#include <cstdio>

namespace saccade {

namespace {

RouteDecision to_edge(std::string reason) { return {Destination::edge, std::move(reason)}; }
RouteDecision to_cloud(std::string reason) { return {Destination::cloud, std::move(reason)}; }

std::string compared(const char *what, double value, const char *relation, double threshold) {
  char text[96];
  std::snprintf(text, sizeof text, "%s %.2f is %s %.2f", what, value, relation, threshold);
  return text;
}

}  // namespace

RouteDecision Router::decide(const RouterInput &input) {
  line_ = settings_.complexity_threshold - (complex_ ? settings_.hysteresis : 0);
  complex_ = input.complexity > line_;

  if (settings_.policy == OffloadPolicy::edge) return to_edge("the policy is edge only");
  if (!input.cloud_linked) return to_edge("no cloud is linked");
  if (!input.link_up) return to_edge("the link to the cloud is down");
  if (settings_.policy == OffloadPolicy::cloud) return to_cloud("the policy is cloud only");
  return by_threshold(input);
}

RouteDecision Router::by_threshold(const RouterInput &input) {
  if (input.hint == Route::local) return to_edge("the gate asks for the edge");
  if (input.hint == Route::cloud) return to_cloud("the gate asks for the cloud");
  if (input.draft_confidence) {
    const double confidence = *input.draft_confidence;
    // Written so that a confidence that is not a number counts as doubtful.
    if (!(confidence >= settings_.confidence_threshold)) {
      return to_cloud(
          compared("the draft's confidence", confidence, "below", settings_.confidence_threshold));
    }
    return to_edge(
        compared("the draft's confidence", confidence, "at least", settings_.confidence_threshold));
  }
  if (settings_.edge_queue_limit > 0 && input.edge_queue > settings_.edge_queue_limit) {
    return to_cloud(std::to_string(input.edge_queue) + " segments wait for the edge");
  }
  if (complex_) return to_cloud(compared("complexity", input.complexity, "above", line_));
  return to_edge(compared("complexity", input.complexity, "not above", line_));
}

}  // namespace saccade
