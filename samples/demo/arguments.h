// What the user typed after saccade-demo.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace saccade::demo {

struct Arguments {
  std::string model;                    // GGUF of the language model
  std::string mmproj;                   // GGUF of the vision encoder and projector
  std::string clip;                     // any file that GStreamer decodes
  std::optional<std::string> timeline;  // ground truth of the clip, JSON
  std::vector<std::string> questions;   // --prompt; empty = those of the timeline
  double max_rate = 2;                  // pictures per second of stream time at most
  int threads = 0;                      // 0 = automatic
  bool live = false;
  bool changes_only = false;
  bool json = false;
};

// Nothing when all was said already (--help, --version). invalid_argument: a sentence for the user.
Result<std::optional<Arguments>> parse_arguments(int argc, char **argv);

}  // namespace saccade::demo
