#include "offload/routing/call_time_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "offload/routing/running_mean.h"

namespace saccade {

namespace {

// Of a usual call, so that every term of the fit is of the order of one.
constexpr double kBytesUnit = 1e5;
constexpr double kTokensUnit = 20;
constexpr double kPull = 0.05;         // of the priors, in observations
constexpr double kMostLeverage = 100;  // of one call, as |x|^2: of a megabyte, or two hundred tokens
constexpr double kMostBytes = 1e10;
constexpr double kMostTokens = 1e6;
constexpr double kMostSeconds = 3600;
constexpr double kLeastExpected = 0.01;  // seconds; an expectation of nothing would allow nothing

// Solves A x = b over the terms in `free`, the others being zero; false where A is not positive definite.
template <std::size_t n>
bool solve_free(const std::array<std::array<double, n>, n> &a, const std::array<double, n> &b, unsigned free,
                std::array<double, n> &x) {
  std::array<std::array<double, n>, n> lower{};
  std::array<double, n> y{};
  x.fill(0);
  const auto is_free = [&](std::size_t i) { return (free >> i & 1U) != 0; };
  for (std::size_t i = 0; i < n; ++i) {
    if (!is_free(i)) continue;
    double rest = b[i];
    for (std::size_t j = 0; j <= i; ++j) {
      if (!is_free(j)) continue;
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k];
      if (i == j) {
        if (!(sum > 1e-12)) return false;
        lower[i][i] = std::sqrt(sum);
      } else {
        lower[i][j] = sum / lower[j][j];
        rest -= lower[i][j] * y[j];
      }
    }
    y[i] = rest / lower[i][i];
  }
  for (std::size_t i = n; i-- > 0;) {
    if (!is_free(i)) continue;
    double rest = y[i];
    for (std::size_t k = i + 1; k < n; ++k) rest -= lower[k][i] * x[k];
    x[i] = rest / lower[i][i];
  }
  return true;
}

}  // namespace

CallTimeFit::CallTimeFit(CallTimeCoefficients prior, double forgetting)
    : forgetting_(bounded(forgetting, 0.5, 0.999, 0.98)),
      prior_{bounded(prior.latency, 0, kMostSeconds, 0),
             bounded(prior.seconds_per_byte, 0, kMostSeconds, 0) * kBytesUnit,
             bounded(prior.service, 0, kMostSeconds, 0),
             bounded(prior.seconds_per_token, 0, kMostSeconds, 0) * kTokensUnit},
      theta_(prior_) {
  solve();
}

void CallTimeFit::observe(const CallTimes &call) {
  const double bytes = call.bytes / kBytesUnit;
  const double tokens = call.tokens / kTokensUnit;
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (auto &value : a_[i]) value *= forgetting_;
    b_[i] *= forgetting_;
  }
  const bool told = call.service && *call.service >= 0 && *call.service <= call.took;
  if (told) {
    add({1, bytes, 0, 0}, call.took - *call.service);
    add({0, 0, 1, tokens}, *call.service);
  } else {
    add({1, bytes, 1, tokens}, call.took);
  }
  if (call.latency) add({1, 0, 0, 0}, *call.latency);
  solve();
}

// One row of the fit: x' theta = took.
void CallTimeFit::add(const Vector &x, double took) {
  constexpr Vector most = {1, kMostBytes / kBytesUnit, 1, kMostTokens / kTokensUnit};
  if (!(took >= 0)) return;
  Vector term{};
  double expected = 0;
  double believed = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    if (!(x[i] >= 0)) return;
    term[i] = bounded(x[i], 0, most[i], 0);
    expected += term[i] * theta_[i];
    believed += term[i] * prior_[i];
  }
  const double limit = RunningMean::kMostFactor * std::max({expected, believed, kLeastExpected});
  const double time = bounded(took, 0, std::min(limit, kMostSeconds), expected);
  double size = 0;
  for (const double value : term) size += value * value;
  const double weight = std::min(1.0, kMostLeverage / size);
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j < kTerms; ++j) a_[i][j] += weight * term[i] * term[j];
    b_[i] += weight * term[i] * time;
  }
}

void CallTimeFit::solve() {
  Matrix a = a_;
  Vector b = b_;
  for (std::size_t i = 0; i < kTerms; ++i) {
    a[i][i] += kPull;
    b[i] += kPull * prior_[i];
  }
  double least = std::numeric_limits<double>::infinity();
  for (unsigned free = 0; free < 1U << kTerms; ++free) {
    Vector x{};
    if (!solve_free(a, b, free, x)) continue;
    double value = 0;  // of x'Ax/2 - b'x, which is -b'x/2 at its minimum over the free terms
    bool allowed = true;
    for (std::size_t i = 0; i < kTerms; ++i) {
      allowed = allowed && x[i] >= 0;
      value -= b[i] * x[i] / 2;
    }
    if (!allowed || !(value < least)) continue;
    least = value;
    theta_ = x;
  }
  coefficients_ = {theta_[0], theta_[1] / kBytesUnit, theta_[2], theta_[3] / kTokensUnit};
}

double CallTimeFit::predict(double bytes, double tokens) const {
  const auto &c = coefficients_;
  return c.latency + c.seconds_per_byte * bounded(bytes, 0, kMostBytes, 0) + c.service +
         c.seconds_per_token * bounded(tokens, 0, kMostTokens, 0);
}

}  // namespace saccade
