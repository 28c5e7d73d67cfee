// What each way costs, as routing.h defines J. Internal to the routing rules; pure functions on settings,
// inputs and states that are in their ranges already.
#pragma once

#include "offload/routing/routing.h"

namespace saccade {

struct CloudWay {
  Cargo cargo;
  bool verify = false;  // rather than ask plainly
  Duration mean{};      // from now until the answer
  Duration p95{};
  double cost = 0;
  bool in_time = false;  // P95 keeps the latency budget
};

// All that the segment has.
Cargo everything(const RouterInput &input);

// The cheapest cargo that is in time; where none is, the soonest. The segment has something to send.
CloudWay best_cloud_way(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                        const RouterState &state);
// The way with this cargo.
CloudWay cloud_way(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                   const RouterState &state, Cargo cargo);

// How likely the edge's answer is wrong: of the draft where there is one.
double edge_error(const RouterSettings &settings, const RouterInput &input, const RouterState &state);

// Of drafting, and then living with a poor draft or asking the cloud about it, whichever costs less.
double cost_of_drafting(const RouterSettings &settings, const RouterState &state, const CloudWay &after);

// Whether the upload of what `after` sends should begin while the edge drafts:
//
//     p x time saved > (1 - p) x cost of an upload in vain,   p = Pr(the draft is poor and is sent).
//
// What is saved is the transfer, as far as drafting hides it; in vain are the cores' time to compress, which
// the draft is short of, and the price of the bytes in energy, money and budget, as the wait of the same J.
bool shadow_upload_pays(const RouterSettings &settings, const RouterInput &input, const RouterState &state,
                        const CloudWay &after);

bool in_time(const RouterSettings &settings, const RouterInput &input, Duration p95);

}  // namespace saccade
