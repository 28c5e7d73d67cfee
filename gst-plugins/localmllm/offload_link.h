// localmllm's side of the offload pad: segments out, and a list of those whose answer is still to come.
#pragma once

#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/frame.h"
#include "common/events.h"
#include "common/pointers.h"
#include "mllm/answer.h"
#include "sparsity/mas_report.h"
#include "sparsity/sound_memory.h"

namespace saccade::gst {

// What goes out belongs to the worker; the rest may be called from any thread.
class OffloadLink {
 public:
  // `owner` names the element in events.
  OffloadLink(GstPad *pad, std::string owner)
      : pad_(GST_PAD(gst_object_ref(pad))), owner_(std::move(owner)) {}

  GstPad *pad() const { return pad_.get(); }
  bool linked() const { return gst_pad_is_linked(pad()); }
  LinkState state() const;  // of the link to the cloud; up until the sink says otherwise

  // The pad may be requested while the stream runs; send() makes up for what came before it.
  void start_stream(GstEvent *upstream_start);  // null: no event to take the group from
  void set_segment(const GstSegment &segment);  // and a first GAP, so that sinks can preroll
  bool set_caps(int width, int height);         // of the pictures to come; false when downstream refuses
  void pass(GstClockTime pts, GstClockTime duration);  // nothing will come for this stretch
  void end();

  // A picture (rgb8) and a sound that the cloud is asked about, and when that was.
  struct Question {
    const Image &picture;
    bool shown;              // false: the picture stays here, and is black on the pad
    const SoundClip *sound;  // null: it stays here, or there is none
    const GstSegment &segment;
    GstClockTime pts;
    GstClockTime duration;
    const std::optional<MasReport> &mas;  // what the gate found in it
  };
  // Each false when downstream takes nothing. The question goes out before there is a draft: `answer` has its
  // id, its question and its time, and no text. With `draft_follows` the cloud answers when draft() has told
  // it what to do, or cancel() that nothing is to be done.
  bool begin(const Question &question, const Answer &answer, bool draft_follows);
  bool draft(const Answer &draft, bool verify);
  void cancel(std::uint64_t id, const char *reason);
  // Both at once. The draft waits here for its correction.
  bool send(const Question &question, const Answer &draft, bool verify);

  // An upstream event that came to the pad. True: it was ours and is consumed.
  bool receive(GstEvent *event);

  // The next answer that arrived, or as much of it as there is, with the draft that it corrects; without its
  // text where none was made.
  struct Arrived {
    CloudAnswer answer;
    Answer draft;
    bool drafted;
    Clock::time_point since;  // when `draft` was as it is here
  };
  std::optional<Arrived> take();

  // Waits until an answer can be taken, nothing is awaited any more, the time is up or give_up() was called.
  // True when there may be something to take.
  bool wait(Clock::time_point until);
  void give_up();  // breaks wait() and forgets what is awaited
  std::size_t awaited() const;
  void reset();  // after a flush: waits again
  void start();  // with a run: nothing is awaited, and of the link nothing is known yet

 private:
  struct Awaited {
    Answer draft;
    bool drafted;
    Clock::time_point since;
  };

  void await(const Answer &draft, bool drafted);
  void forget(std::uint64_t id);
  bool push_begin(const Question &question, const Answer &answer, bool draft_follows);
  bool push_draft(const Answer &draft, bool verify);
  bool push_picture(const Question &question, std::uint64_t id);

  const PadPtr pad_;  // held: the worker may be inside of it when it is released
  const std::string owner_;
  int width_ = 0;  // of the caps that were sent
  int height_ = 0;
  bool started_ = false;
  bool has_segment_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Awaited> awaited_;
  std::deque<CloudAnswer> arrived_;
  bool given_up_ = false;
  LinkState state_;
};

}  // namespace saccade::gst
