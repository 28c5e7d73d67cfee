// masgate's ears: what is heard on each of its audio pads, joined by running time.
//
// The audio threads only append to bounded memory (per pad an hour of readings, and 32 MB of sound) under a
// lock that nobody holds while waiting or pushing; so an audio chain never blocks. All functions may be
// called from any thread; a pad is a key only.
#pragma once

#include <gst/audio/audio.h>
#include <gst/gst.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <vector>

#include "base/time.h"
#include "sparsity/sound_activity.h"
#include "sparsity/sound_memory.h"

namespace saccade::gst {

class AudioInputs {
 public:
  void add(GstPad *pad);
  void remove(GstPad *pad);
  bool empty() const;

  void set_format(GstPad *pad, const GstAudioInfo &info);
  void set_segment(GstPad *pad, const GstSegment &segment);
  // False when the pad has no format yet or the buffer cannot be mapped.
  bool take(GstPad *pad, GstBuffer *buffer);
  void skip(GstPad *pad, GstClockTime pts, GstClockTime duration);  // a GAP
  void end(GstPad *pad);                                            // EOS: nobody waits for this pad any more
  void flush(GstPad *pad);
  void restart();  // every pad as if new; keeps formats

  // What was heard on all pads in the interval, the most active of them; not present without a pad that has a
  // format. What was heard before the interval is forgotten, except for the last `keep` of sound.
  SoundReading heard(StreamInterval interval, Duration keep);
  // Of the pad that was the most active one in heard(): what is kept of the interval.
  SoundClip clip(StreamInterval interval) const;
  std::uint64_t lost_samples() const;  // that pictures came too late for
  StreamTime heard_until() const;      // the most advanced pad

  // Waits until every pad that goes on has been heard up to `time`, but at most `most` of wall-clock time. A
  // pad that made somebody wait in vain is not waited for again until it moves, so that a dead microphone
  // costs one wait and not one per picture.
  void wait_until_heard(StreamTime time, Duration most);
  void set_flushing(bool flushing);  // true ends all waits at once

  // Waits until some pad is heard past `time`. False when asked to stop.
  bool wait_for_more(std::stop_token stop, StreamTime time);

 private:
  struct Input {
    GstAudioInfo info{};
    bool has_format = false;
    bool ended = false;
    bool hopeless = false;  // was waited for in vain
    GstSegment segment{};
    SoundActivity activity;
    SoundMemory memory;
    std::vector<float> samples;  // scratch

    StreamTime running_time(GstClockTime pts) const;
  };

  void moved(Input &input);
  StreamTime heard_until_locked() const;

  mutable std::mutex mutex_;
  std::condition_variable_any moved_;
  std::map<GstPad *, Input> inputs_;
  GstPad *most_active_ = nullptr;  // a key only
  bool flushing_ = false;
};

}  // namespace saccade::gst
