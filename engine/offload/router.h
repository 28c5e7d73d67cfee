// Where a segment is answered: on the edge or in the cloud. After MoA-Off (arXiv 2509.16995), which sends
// what is complex, busy or doubtful to the cloud, with its weak spot mended: a bad link always means the
// edge, and the confidence of the draft is asked after the fact. Not thread-safe: one router belongs to one
// stream of segments.
#pragma once

#include <optional>
#include <string>

#include "sparsity/mas_report.h"

namespace saccade {

enum class OffloadPolicy { edge, cloud, threshold };
enum class Destination { edge, cloud };

constexpr const char *to_string(Destination destination) {
  return destination == Destination::cloud ? "cloud" : "edge";
}

struct RouterSettings {
  OffloadPolicy policy = OffloadPolicy::threshold;
  double complexity_threshold = 0.6;  // [0, 1]; above it the cloud is asked
  double confidence_threshold = 0.5;  // [0, 1]; below it the cloud is asked
  double hysteresis = 0.05;       // how far below the threshold complexity must fall to come back to the edge
  unsigned edge_queue_limit = 0;  // segments waiting on the edge beyond which the cloud helps out; 0 = never
};

struct RouterInput {
  Route hint = Route::automatic;             // the gate's wish, MasReport::route
  double complexity = 0;                     // MasReport::complexity
  std::optional<double> draft_confidence{};  // of the edge's draft; empty before there is one
  bool cloud_linked = false;                 // somebody takes segments at all
  bool link_up = false;
  unsigned edge_queue = 0;  // segments waiting for the edge model
};

struct RouteDecision {
  Destination destination = Destination::edge;
  std::string reason;  // one line for people
};

class Router {
 public:
  explicit Router(RouterSettings settings = {}) : settings_(settings) {}

  // The first rule that applies decides: no cloud or a dead link, the policy, the gate's hint, the draft's
  // confidence, the edge's queue, the picture's complexity.
  RouteDecision decide(const RouterInput &input);

 private:
  RouteDecision by_threshold(const RouterInput &input);

  RouterSettings settings_;
  bool complex_ = false;  // which side of the line the last segment was on
  double line_ = 0;       // the complexity threshold that counted for the last segment, hysteresis included
};

}  // namespace saccade
