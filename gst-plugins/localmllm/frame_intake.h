// From a buffer on the sink pad to a picture that the worker can hold: scaled copies, no buffer of
// upstream's.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <optional>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "base/time.h"
#include "common/rgb_scaler.h"
#include "localmllm/answer_timeline.h"
#include "mllm/segment_answerer.h"
#include "sparsity/mas_report.h"
#include "sparsity/sound_memory.h"
#include "tokens/token_set.h"
#include "vision/vision_encoder.h"

namespace saccade::gst {

struct Picture {
  Image encoder_picture;     // at the encoder's size, or the frame's own for tiles; empty with tokens
  SharedTokens tokens;       // made upstream; null when this element is the encoder
  Image closer_picture;      // what the gate points at, at the encoder's size; empty when that is nothing
  Image offload_picture;     // empty when nobody takes it
  SoundClip offload_sound;   // no more than may leave; rate 0 when there is none or it may not
  std::vector<float> sound;  // heard up to it, mono, at the model's rate; empty when nobody takes it
  bool heard = false;        // a sound stood out of its background
  std::optional<MasReport> mas;
  FrameTime time;
  Clock::time_point arrived;

  // Whether the gate must hear from this element what became of the frame: only the encoder speaks of it.
  bool encoded_here() const { return mas && !tokens; }
};

// Size of a picture whose longest edge is at most `longest`, never enlarged.
EncoderInput fitted(int width, int height, int longest);

// What the offload pad takes of a picture.
struct OffloadTakes {
  int longest_edge = 0;  // pixels
  bool sound = false;
};

// Belongs to the streaming thread.
class FrameIntake {
 public:
  // encoder: what it wants. sound_rate: in Hz; 0 = no sound is wanted.
  FrameIntake(EncoderInput encoder, Detail detail, OffloadTakes offload, int sound_rate);

  Status set_caps(const GstCaps *caps);
  void set_segment(const GstSegment &segment);

  // Never invalid: a buffer without pts stands where the one before it stood, one without duration
  // lasts as long as the caps' rate or the last spacing says.
  FrameTime time_of(GstBuffer *buffer);

  Result<Picture> take(GstBuffer *buffer, const FrameTime &time, std::optional<MasReport> mas,
                       bool for_offload);

 private:
  GstClockTime duration_of(GstBuffer *buffer, GstClockTime pts) const;
  Status take_for_encoder(GstBuffer *buffer, Picture &picture);

  EncoderInput encoder_;
  Detail detail_;
  OffloadTakes offload_;
  int sound_rate_;
  GstSegment segment_;
  GstVideoInfo video_;
  GstClockTime previous_pts_ = GST_CLOCK_TIME_NONE;
  RgbScaler encoder_scaler_;
  RgbScaler offload_scaler_;
};

}  // namespace saccade::gst
