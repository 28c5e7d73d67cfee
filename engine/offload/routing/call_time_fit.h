// How long a call to the cloud takes, learnt from calls: recursive least squares with forgetting on
//
//     time = latency + seconds per byte x bytes + service + seconds per token x tokens
//
// kept in information form, A <- f A + x x', b <- f b + x t (Haykin, Adaptive Filter Theory, chapter on RLS).
// That form cannot wind up when calls are all alike, and being four by four it is solved anew after every
// call, under the constraint that no coefficient is negative: the best of the 2^4 sets of coefficients held
// at zero, which is exact. A weak pull towards the priors decides what the calls leave open, such as how a
// constant splits into latency and service where no server ever told its own times. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace saccade {

struct CallTimeCoefficients {
  double latency = 0.05;           // seconds, of the way there and back
  double seconds_per_byte = 1e-6;  // sent
  double service = 0.3;            // seconds, before the first token: the server's queue and its prefill
  // As fast as servers with a GPU are: a prior that is too slow keeps long answers from being asked for, and
  // nothing would correct it.
  double seconds_per_token = 0.01;
};

// One call that was answered.
struct CallTimes {
  double bytes = 0;                 // sent
  double tokens = 0;                // of the answer
  double took = 0;                  // seconds, from the first byte sent to the last received
  std::optional<double> service{};  // of them the server's own, where it tells them
  std::optional<double> latency{};  // of an empty way there and back, where a connection was opened for it
};

class CallTimeFit {
 public:
  // `forgetting` in (0, 1): the weight that a call keeps when the next one comes. 0.98: about the last fifty
  // calls count.
  explicit CallTimeFit(CallTimeCoefficients prior = {}, double forgetting = 0.98);

  // What is negative or no number is not counted, what is huge is limited, and a time beyond eight times the
  // expected one counts as that.
  void observe(const CallTimes &call);

  const CallTimeCoefficients &coefficients() const { return coefficients_; }
  double predict(double bytes, double tokens) const;  // seconds, >= 0

 private:
  static constexpr std::size_t kTerms = 4;
  using Vector = std::array<double, kTerms>;
  using Matrix = std::array<Vector, kTerms>;

  void add(const Vector &x, double took);
  void solve();

  double forgetting_;
  Vector prior_;  // scaled as theta_ is, so that the terms are of like size
  Vector theta_;
  Matrix a_{};
  Vector b_{};
  CallTimeCoefficients coefficients_;
};

}  // namespace saccade
