// masgate's ears: what is heard on each of its audio pads, joined by running time.
//
// The audio threads only append to bounded memory (an hour of readings per pad) under a lock that nobody
// holds while waiting or pushing; so an audio chain never blocks. All functions may be called from
// any thread; a pad is a key only.
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
  // format. What was heard before the interval is forgotten.
  SoundReading heard(StreamInterval interval);
  StreamTime heard_until() const;  // the most advanced pad

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
    std::vector<float> samples;  // scratch

    StreamTime running_time(GstClockTime pts) const;
  };

  void moved(Input &input);
  StreamTime heard_until_locked() const;

  mutable std::mutex mutex_;
  std::condition_variable_any moved_;
  std::map<GstPad *, Input> inputs_;
  bool flushing_ = false;
};

}  // namespace saccade::gst
