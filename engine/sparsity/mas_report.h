// Modality Activation Sparsity (MAS), after MSAO (arXiv 2604.02945): how much of each modality is
// *not* needed right now. MSAO prints no equation; the formulas behind these figures are ours.
#pragma once

#include <cstdint>
#include <string>

#include "base/patch_grid.h"

namespace saccade {

enum class Route { automatic, local, cloud };

constexpr const char *to_string(Route route) {
  switch (route) {
    case Route::automatic: return "auto";
    case Route::local: return "local";
    case Route::cloud: return "cloud";
  }
  return "auto";
}

// What the gate found out about one frame. Scores are in [0, 1]; 1 = sparse, nothing needed.
struct MasReport {
  std::uint64_t frame = 0;  // counts up from 1 per gate; names this frame in committed/dropped events
  double spatial = 0;       // sparsity of the picture itself
  double temporal = 0;      // sparsity of change against what the encoder has committed
  double modal_video = 0;   // 1 - necessity of the video for the standing question
  double modal_audio = 1;   // likewise for the sound; 1 when there is none
  double mas_video = 0;     // combined, per modality
  double mas_audio = 1;
  double complexity = 0;       // [0, 1], image complexity after MoA-Off (arXiv 2509.16995)
  double text_complexity = 0;  // [0, 1], likewise of the standing question
  PatchGrid grid;
  PatchMap activity;          // structure in the picture
  PatchMap change;            // difference to the committed reference
  PatchMap keep;              // worth giving to the language model
  PatchMap refresh;           // must be encoded again: 255 = yes, 0 = no
  bool needed = true;         // whether this frame deserves an answer at all
  bool sound_active = false;  // the sound stands out of its background: it belongs to the answer
  Route route = Route::automatic;
  std::string reason;  // one line for people: why it is (not) needed

  int refresh_count() const {
    int n = 0;
    for (const auto v : refresh) n += v != 0;
    return n;
  }
};

}  // namespace saccade
