// The router of one stream of segments: answers where each is to be answered, by the rules of routing.h, and
// learns what those rest on (how long either way takes, how often drafts are poor, how many of their tokens
// are accepted, what may still be spent). Not thread-safe: guard it with the lock of the object that owns it.
//
// Two questions per segment. plan() before the draft: edge, edge with a shadow upload, or the cloud at once.
// decide() after it: keep the edge's answer, ask the cloud, or have it verify the draft. A caller that always
// drafts asks decide() alone. A decision carries all that it rests on; decision_log.h makes a line of it.
#pragma once

#include "offload/routing/cost_model.h"
#include "offload/routing/routing.h"
#include "offload/routing/running_mean.h"
#include "offload/routing/speculation.h"
#include "offload/routing/spend_price.h"

namespace saccade {

class Router {
 public:
  explicit Router(RouterSettings settings = {}, CostPriors priors = {});

  RouteDecision plan(const RouterInput &input) { return ask(RouteStage::plan, input); }
  RouteDecision decide(const RouterInput &input) { return ask(RouteStage::decide, input); }

  // What came of it. None of these has to be called, the decisions are only as good as what was learnt.
  void edge_answered(const Answer &answer) { costs_.edge_answered(answer); }
  void cloud_answered(const CallTimes &call) { costs_.cloud_answered(call); }
  // A draft was made, and then found doubtful, or corrected by the cloud, or it stood.
  void draft_judged(const RouterInput &input, bool poor) { doubt_.learn(features_of(input), poor); }
  void draft_verified(unsigned drafted, unsigned accepted) { acceptance_.verified(drafted, accepted); }
  // A call with a picture of so many pixels was answered, and sent so many bytes for it.
  void picture_sent(double pixels, double bytes);
  // What the next one will send, for RouterInput::video_bytes.
  std::size_t picture_bytes(double pixels) const;
  // Bytes that left for the cloud in so many calls, whatever came of them; `now` as in RouterInput.
  void sent(std::size_t bytes, std::size_t calls, Duration now);

  const RouterSettings &settings() const { return settings_; }

 private:
  RouteDecision ask(RouteStage stage, const RouterInput &input);
  RouterState state_for(RouteStage stage, const RouterInput &input);

  RouterSettings settings_;
  CostModel costs_;
  DoubtModel doubt_;
  AcceptanceEstimate acceptance_;
  RunningMean bytes_per_pixel_;
  SpendPrice spend_;
  RouterSides sides_;
};

}  // namespace saccade
