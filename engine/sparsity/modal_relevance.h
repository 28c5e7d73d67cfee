// What the standing question asks for: sight, sound or reading. A small English lexicon; pure functions.
#pragma once

#include <string_view>

namespace saccade {

struct ModalRelevance {
  double video = 1;      // [0, 1]
  double audio = 0.5;    // [0, 1]
  bool reading = false;  // asks for letters or digits: keep fine detail

  bool operator==(const ModalRelevance &) const = default;
};

// An empty question, or one without a word that the lexicon knows, asks for sight and may care for sound.
ModalRelevance relevance_of(std::string_view question);

// The threshold for a modality of this relevance: a modality nobody asks about needs up to twice the change.
constexpr double threshold_for(double threshold, double relevance) {
  return threshold / (0.5 + 0.5 * relevance);
}

}  // namespace saccade
