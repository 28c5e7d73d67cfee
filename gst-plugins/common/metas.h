// The metas that travel between our elements, and with anybody else's in between (DESIGN §1).
// MAS, segment and answer are custom metas (a GstStructure each, readable from every binding);
// tokens are a C meta that holds a shared, immutable TokenSet and stays in this process.
// All functions may be called from any thread; registration happens once, on first use.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>

#include "sparsity/mas_report.h"
#include "sparsity/sound_memory.h"
#include "tokens/token_set.h"

namespace saccade::gst {

// Custom meta names. "SaccadeMasMeta" is bound to the picture's geometry (tags video,size): scaling
// keeps it, cropping and flipping drop it. The others are bound to time only.
inline constexpr const char *kMasMetaName = "SaccadeMasMeta";
inline constexpr const char *kAudioMetaName = "SaccadeAudioMeta";
inline constexpr const char *kSegmentMetaName = "SaccadeSegmentMeta";
inline constexpr const char *kAnswerMetaName = "SaccadeAnswerMeta";

void register_metas();  // idempotent; called by the plugin's init and by tests

// MAS. `buffer` must be writable. reports of several gates: the last one wins.
void set_mas(GstBuffer *buffer, const MasReport &report);
std::optional<MasReport> get_mas(GstBuffer *buffer);  // empty when there is none or it is malformed

// Sampling reason and other small facts go into the same structure; null when there is none yet.
GstStructure *ensure_mas_structure(GstBuffer *buffer);

// What was heard around a picture, up to its end: `audio` is a GstSample of audio/x-raw, S16LE, one channel,
// whose buffer has running times.
void set_audio(GstBuffer *buffer, const SoundClip &clip);
SoundClip get_audio(GstBuffer *buffer);  // rate 0 when there is none or it is malformed

// Tokens.
void set_tokens(GstBuffer *buffer, SharedTokens tokens);
SharedTokens get_tokens(GstBuffer *buffer);  // null when there are none

// A segment's buffer on the offload pad.
struct SegmentInfo {
  std::uint64_t id = 0;  // the segment, counts up from 1 per localmllm
  unsigned index = 0;    // of this frame within the segment
  bool final = true;     // no more frames follow
  bool shown = true;     // false: the picture is not to be sent, only the sound that comes with it
};
void set_segment(GstBuffer *buffer, const SegmentInfo &info);
std::optional<SegmentInfo> get_segment(GstBuffer *buffer);

}  // namespace saccade::gst
