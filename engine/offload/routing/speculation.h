// When a draft is worth verifying. After speculative decoding (Leviathan et al., arXiv 2211.17192), with the
// whole draft of the edge as its one round.
//
// Of a draft of gamma tokens each is accepted with probability alpha, up to the first that is not; in its
// place the cloud says its own, so one pass over the draft yields
//
//     E[accepted] = 1 + alpha + ... + alpha^gamma = (1 - alpha^(gamma + 1)) / (1 - alpha)
//
// tokens. The whole answer is gamma of them and the end. Asked plainly, the cloud takes
//
//     RTT + prefill + gamma x t_token
//
// since the prefill yields the first. With the draft, the prefill judges it, too, which costs about one
// t_token more. Where a token was refused (with probability 1 - alpha^gamma) the rest is asked for in a
// second call: one more round trip, and a second prefill, because a server that gives prompt
// log-probabilities passes its prefix cache by. That prefill yields one more token. So
//
//     gain = (E[accepted] - 1) x t_token - t_token - (1 - alpha^gamma) x (RTT + prefill - t_token)
//          = (alpha + ... + alpha^(gamma - 1)) x t_token - (1 - alpha^gamma) x (RTT + prefill)
//
// and verification wins when that is positive. At t_token = 28.6 ms, alpha = 0.8, 32 tokens and a prefill of
// 60 ms it is up to an RTT of 54 ms; at 20 ms it gains 34 ms, at 150 ms it loses 96 ms.
#pragma once

#include "base/time.h"

namespace saccade {

// Tokens that one pass over a draft yields; `acceptance` in [0, 1], `drafted` >= 0. In [1, drafted + 1].
double expected_tokens(double acceptance, unsigned drafted);

struct VerificationCosts {
  double acceptance = 0.8;  // alpha
  Duration per_token{};     // of the cloud's decoding
  Duration round_trip{};
  Duration prefill{};  // the cloud's, its queue included
};

// How much sooner the whole answer is there by verification than by asking plainly; negative when later.
// Falls with the round trip, and never rises with it.
Duration verification_gain(const VerificationCosts &costs, unsigned drafted);

// alpha, learnt from drafts that were verified: accepted tokens over those that were judged, old ones
// counting less and less. Not thread-safe.
class AcceptanceEstimate {
 public:
  // Of `drafted` tokens the first `accepted` were; what is more than drafted counts as all of them.
  void verified(unsigned drafted, unsigned accepted);
  double value() const { return accepted_ / judged_; }  // in (0, 1)

 private:
  // 0.8 is what drafts of a smaller model of the family usually reach; it weighs as much as ten tokens.
  double accepted_ = 8;
  double judged_ = 10;
};

}  // namespace saccade
