// What the routing of segments is about, and its rules as pure functions: the same settings, input and state
// give the same decision bit for bit, on any day. Router (router.h) keeps the state and learns it.
//
// Five policies. `edge` and `cloud` are what they say. `threshold` is MoA-Off (arXiv 2509.16995): a modality
// stays on the edge while its complexity, the edge's load and the bandwidth are all low; after the draft its
// confidence alone decides. `msao`, after the idea of MSAO (arXiv 2604.02945), compares what each way costs,
//
//     J = T / T_SLO + l_E E / E0 + l_C C / C0 + l_A Pr(wrong),   argmin subject to P95(T) <= latency budget,
//
// which needs no threshold on anything. `budget` is `msao` with a price on what is spent (spend_price.h).
// For all of them: where no cloud is linked, or the link is down, the edge answers, always.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/time.h"
#include "offload/cloud/link_estimate.h"
#include "offload/routing/cost_model.h"
#include "offload/routing/doubt_model.h"
#include "sparsity/mas_report.h"

namespace saccade {

enum class OffloadPolicy { edge, cloud, threshold, msao, budget };
enum class BudgetUnit { bytes, money };
enum class Destination { edge, cloud };

// Asked before the draft (plan) or after it (decide).
enum class RouteStage { plan, decide };

enum class RouteAction {
  edge,              // plan: draft, nothing else. decide: the edge's answer stands
  edge_with_upload,  // plan: draft, and meanwhile upload what the cloud will probably be asked about
  ask,               // the cloud answers by itself; of a plan: a draft is not worth its price any more
  verify,            // decide: the cloud verifies the draft and goes on from where it differs
};

// What of a segment goes to the cloud.
struct Cargo {
  bool video = false;
  bool audio = false;
};

constexpr const char *to_string(Destination destination) {
  return destination == Destination::cloud ? "cloud" : "edge";
}

constexpr const char *to_string(RouteAction action) {
  switch (action) {
    case RouteAction::edge: return "edge";
    case RouteAction::edge_with_upload: return "edge-with-upload";
    case RouteAction::ask: return "ask";
    case RouteAction::verify: return "verify";
  }
  return "unknown";
}

struct RouterSettings {
  OffloadPolicy policy = OffloadPolicy::msao;

  // Of `threshold`.
  double complexity_threshold = 0.6;  // [0, 1]; above it the cloud is asked
  double confidence_threshold = 0.5;  // [0, 1]; below it the cloud is asked
  double hysteresis = 0.05;       // how far below the threshold complexity must fall to come back to the edge
  unsigned edge_queue_limit = 0;  // segments waiting on the edge beyond which the cloud helps out; 0 = never
  double sound_threshold = 0.6;   // [0, 1]; of the sound's complexity
  double text_threshold = 1;      // [0, 1]; of the question's; 1 = never
  double rich_bandwidth = 0;      // bytes/s above which everything goes to the cloud; 0 = never

  // Of `msao` and `budget`; `hysteresis` is theirs too, in units of J.
  Duration slo = std::chrono::seconds(2);  // T_SLO: a wait of this costs 1
  Duration latency_budget{};               // since the capture, for 95 of 100 segments; zero = none
  double error_weight = 2;                 // l_A: being wrong for sure costs as much as two SLOs of waiting
  double cloud_error = 0.1;                // [0, 1]: how often the cloud is wrong when it sees everything
  double least_margin = 0.25;              // of a draft's first tokens; with less of it, or
  double most_entropy = 0.35;              // with more of it, the draft hesitates,
  double hesitant_error = 0.5;             // and is wrong at least this often
  double energy_weight = 0.1;              // l_E
  double energy_unit = 10;                 // E0, joules
  double edge_watts = 10;                  // while a draft is made
  double radio_joules_per_megabyte = 5;    // sent; of LTE, an order of magnitude
  double money_weight = 0.1;               // l_C
  double money_unit = 0.001;               // C0, in the currency of these two:
  double money_per_call = 0;
  double money_per_megabyte = 0;
  unsigned least_tokens_to_verify = 16;  // shorter drafts are a cascade: the cloud is asked plainly

  // A draft is made after so many segments in a row without one, or nobody would learn that drafts got
  // better.
  unsigned longest_without_draft = 20;

  // Of `budget`.
  BudgetUnit budget_unit = BudgetUnit::bytes;
  double budget_per_hour = 0;  // 0 = no cap

  bool operator==(const RouterSettings &) const = default;
};

// What is known of a segment when it is asked about. Numbers out of their range are brought into it, and what
// is no number counts as the careful side: needed, doubtful, unknown.
struct RouterInput {
  Route hint = Route::automatic;             // the gate's wish, MasReport::route
  double complexity = 0;                     // MasReport::complexity
  double text_complexity = 0;                // MasReport::text_complexity
  double sound_complexity = 0;               // [0, 1]; where nobody measures it, 1 - MAS
  double mas_video = 0;                      // MasReport's; 1 = not needed
  double mas_audio = 1;                      // likewise
  bool has_video = true;                     // the segment has pictures,
  bool has_audio = false;                    // and sound
  std::size_t video_bytes = 0;               // that a call would still have to send; 0 = not known, or sent
  std::size_t audio_bytes = 0;               // already. An estimate will do
  std::optional<double> draft_confidence{};  // of the edge's draft; empty before there is one
  std::optional<double> draft_margin{};      // mean p1 - p2 of its first tokens
  std::optional<double> draft_entropy{};     // mean entropy of its first tokens over ln(vocabulary), [0, 1]
  unsigned draft_tokens = 0;
  bool cloud_linked = false;  // somebody takes segments at all
  bool link_up = false;
  bool cloud_verifies = false;  // it can verify drafts
  unsigned edge_queue = 0;      // segments waiting for the edge model
  Duration elapsed{};           // since the capture
  Duration now{};               // since any fixed moment, the same for all inputs; prices fall with it
  LinkSnapshot link{};          // its estimates; where `up` is false, the link is down as well

  bool operator==(const RouterInput &) const = default;
};

// The gate's part of it.
RouterInput router_input_of(const MasReport &report);
SegmentFeatures features_of(const RouterInput &input);

// On which side of each line the last segment was: a side is left only where its line is clearly crossed.
struct RouterSides {
  bool complex_picture = false;
  bool complex_sound = false;
  bool rich_link = false;
  unsigned in_cloud_for = 0;  // plans in a row that said: the cloud at once

  bool operator==(const RouterSides &) const = default;
};

// What the router foresees and remembers when it is asked: all that a decision rests on besides its input.
struct RouterState {
  Forecast edge{};          // until the edge's answer, its queue included
  Duration edge_work{};     // of it, the segment's own
  Forecast cloud_video{};   // until the cloud's answer, when it is sent the pictures,
  Forecast cloud_audio{};   // the sound,
  Forecast cloud_both{};    // or both
  Duration upload_video{};  // of these, on the wire, latency left out
  Duration upload_audio{};
  Duration compress{};
  Duration cloud_per_token{};
  Duration cloud_prefill{};
  Duration round_trip{};
  double acceptance = 0.8;   // of draft tokens, speculation.h
  double doubt = 0.5;        // Pr(the draft turns out poor), doubt_model.h
  double price = 0;          // spend_price.h
  double typical_spend = 0;  // likewise
  RouterSides sides{};

  bool operator==(const RouterState &) const = default;
};

struct RouteDecision {
  Destination destination = Destination::edge;  // cloud when any modality goes there
  std::string reason;                           // one line for people
  RouteAction action = RouteAction::edge;
  Destination video = Destination::edge;  // with edge_with_upload: edge, though what may follow is uploaded
  Destination audio = Destination::edge;
  Duration foreseen{};  // until the answer that this decision leads to, on average; of a plan and of a call
  RouteStage stage = RouteStage::decide;
  RouterInput input{};  // what it rests on: route() says the same of these and the settings again
  RouterState state{};

  bool operator==(const RouteDecision &) const = default;
};

// The first rule that applies decides: the policy edge, no cloud or a dead link, the policy cloud, the gate's
// hint, then the policy's own. Safe on any input; safe from any thread.
RouteDecision route(RouteStage stage, const RouterSettings &settings, const RouterInput &input,
                    const RouterState &state);
// What it sends. With edge_with_upload that is what the cheapest call would be about, which its costs were
// those of: once it is up it costs no bytes more, so no other cargo becomes the cheapest after the draft.
Cargo cargo_of(const RouteDecision &decision, const RouterSettings &settings);
// The sides for the next segment.
RouterSides sides_after(const RouteDecision &decision, const RouterSettings &settings);

}  // namespace saccade
