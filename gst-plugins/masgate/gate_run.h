// What masgate does while it runs: looks at frames, listens, sends on, sends again.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/status.h"
#include "common/luma.h"
#include "common/pointers.h"
#include "masgate/audio_inputs.h"
#include "masgate/masgate_settings.h"
#include "sparsity/mas_gate.h"

namespace saccade::gst {

// One lock covers the video's streaming thread and the thread that wakes still pictures; it is held while
// pushing downstream, and never taken by audio(), gate() nor statistics(), which any thread may call at any
// time.
class GateRun {
 public:
  // Pads and element outlive the run and are not owned.
  GateRun(GstElement *element, GstPad *sink, GstPad *src) : element_(element), sink_(sink), src_(src) {}

  void start();
  // The pads must be inactive or flushing by now, so that nobody is stuck in a push. Returns within one of
  // them.
  void stop();

  Status set_caps(const GstCaps *caps);  // downstream has them already, and can be asked for its grid
  void set_segment(GstEvent *segment);
  void flush();
  GstFlowReturn chain(GstBuffer *buffer);  // takes the buffer
  gboolean gap(GstEvent *gap);             // takes the event

  MasGate &gate() { return gate_; }
  AudioInputs &audio() { return audio_; }
  GstStructure *statistics() const;  // the caller owns it

  GateSettings settings() const;
  void change_settings(const std::function<void(GateSettings &)> &change);

 private:
  struct Counts {
    guint64 received = 0;
    guint64 kept = 0;
    guint64 dropped = 0;
    guint64 repeated = 0;  // the latest picture, emitted once more
  };

  bool upstream_is_live() const;
  void apply_settings();
  StreamTime running_time(GstClockTime pts) const;
  SoundReading listen(StreamTime until);
  void attach_sound(GstBuffer *buffer, const MasReport &report);
  void wait_for_sound(StreamTime time);
  Result<MasReport> look(GstBuffer *buffer, StreamTime time, const SoundReading &sound);
  GstFlowReturn pass(GstBuffer *buffer, bool needed);
  bool repeat(StreamTime now, const SoundReading &sound);
  void post(const MasReport &report, StreamTime time);
  void watch_still_picture(std::stop_token stop);

  GstElement *element_;
  GstPad *sink_;
  GstPad *src_;
  MasGate gate_;
  AudioInputs audio_;

  mutable std::mutex settings_mutex_;
  GateSettings settings_;
  bool settings_changed_ = true;

  mutable std::mutex counts_mutex_;
  Counts counts_;

  std::mutex stream_mutex_;  // over all that follows
  LumaReader luma_;
  GstVideoInfo info_{};
  bool has_caps_ = false;
  bool ask_grid_ = true;
  bool live_ = false;
  GstSegment segment_{};
  StreamTime now_{};          // end of the last frame or gap on the video pad
  StreamTime listened_to_{};  // sound up to here has been judged
  BufferPtr latest_;          // a copy of the picture needed last
  std::jthread waker_;
};

}  // namespace saccade::gst
