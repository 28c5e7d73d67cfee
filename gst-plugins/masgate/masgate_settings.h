// masgate's properties: what the user set, apart from what a run has.
#pragma once

#include <gst/gst.h>

#include "sparsity/mas_gate.h"

namespace saccade::gst {

enum class GateMode {
  annotate,  // every frame goes on and carries its report
  gate,      // only needed frames go on; the others become GAP events
};

struct GateSettings {
  GateMode mode = GateMode::annotate;
  MasGateSettings engine;        // its grid is the one in use; columns and rows are what was asked for
  int columns = 0;               // 0 = ask downstream
  int rows = 0;                  // 0 = ask downstream
  std::int64_t audio_wait = -1;  // nanoseconds of wall-clock time; -1 = none when live, else kFileAudioWait
  Duration audio_window = std::chrono::seconds(3);  // of sound that goes with a picture; zero = none
  bool post_messages = false;
};

// Installs the properties that set GateSettings, and `statistics`, on `klass`.
void install_gate_properties(GObjectClass *klass);
// False when `id` is none of them.
bool set_gate_property(GateSettings &settings, guint id, const GValue *value);
bool get_gate_property(const GateSettings &settings, guint id, GValue *value);
// The id of the read-only property `statistics`, which belongs to the run.
guint gate_statistics_property();

}  // namespace saccade::gst
