// How likely the edge's draft turns out poor, said before there is one: a logistic of what the gate saw,
//
//     Pr(poor) = 1 / (1 + exp(-(w0 + w . (1 - MAS video, 1 - MAS audio, complexity, question's complexity))))
//
// learnt online by stochastic gradient steps from drafts that were then found doubtful or were corrected, and
// from those that stood. Steps and weights are bounded, so no run of luck makes it certain. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>

namespace saccade {

// All in [0, 1]; what is no number counts as the middle.
struct SegmentFeatures {
  double need_of_video = 1;  // 1 - MAS
  double need_of_audio = 0;
  double complexity = 0;
  double text_complexity = 0;
};

class DoubtModel {
 public:
  double operator()(const SegmentFeatures &features) const;  // in [kLeast, 1 - kLeast]
  void learn(const SegmentFeatures &features, bool poor);

  static constexpr double kLeast = 0.01;

 private:
  // Before the first draft: one in five of the simplest segments, two in three of the most complex ones.
  std::array<double, 5> weights_ = {-1.4, 0, 0, 2, 0};
  std::size_t seen_ = 0;
};

}  // namespace saccade
