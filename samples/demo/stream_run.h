// One clip on its way through the elements, from the first picture to the last answer.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "answer_record.h"
#include "arguments.h"
#include "base/status.h"
#include "base/time.h"
#include "handles.h"

namespace saccade::demo {

struct Progress {
  double stream_seconds = 0;
  double stream_length = 0;  // 0 = unknown
  std::uint64_t answers = 0;
};

struct RunFigures {
  std::uint64_t frames_seen = 0;     // that the clip has
  std::uint64_t frames_sampled = 0;  // that framesampler kept
  std::uint64_t frames_needed = 0;   // of these, in which masgate saw something new
  std::uint64_t frames_encoded = 0;  // of these, that needed an encode of their own
  std::uint64_t frames_dropped = 0;  // live only: that came faster than the model answers
  double stream_seconds = 0;         // watched
  Duration load{};                   // wall-clock time until the model was there
  Duration wall{};                   // and from the first picture on
  Duration cpu{};                    // likewise, of all threads
  std::uint64_t peak_memory = 0;     // bytes
  bool interrupted = false;
};

// Everything is called back on the thread that runs.
struct RunListener {
  std::function<void(const AnswerRecord &)> answer;
  std::function<void(const Progress &)> progress;  // about once a second
  std::function<void(const std::string &)> warning;
};

class StreamRun {
 public:
  // `questions`: the first is the standing one; at every answer to it the others are asked about the same
  // picture.
  static Result<std::unique_ptr<StreamRun>> create(const Arguments &arguments,
                                                   const std::vector<std::string> &questions,
                                                   RunListener listener);
  ~StreamRun();

  // Loads the model. Errors are those of GStreamer's elements, as sentences.
  Status load();
  // Returns at the end of the clip, at an error or at Ctrl-C.
  Status run();

  RunFigures figures() const;
  static const char *description();  // of the pipeline, as gst-launch-1.0 takes it

 private:
  explicit StreamRun(RunListener listener) : listener_(std::move(listener)) {}

  Status configure(const Arguments &arguments, const std::vector<std::string> &questions);
  ElementPtr find(const char *name) const;
  std::uint64_t statistic(const char *element, const char *field) const;
  Status enter(GstState state);
  Status first_error();
  void end(Status status);
  void on_answer(GstMessage *message);
  static gboolean on_message(GstBus *, GstMessage *message, gpointer self);
  static gboolean on_tick(gpointer self);
  static gboolean on_interrupt(gpointer self);
  static GstPadProbeReturn on_frame(GstPad *, GstPadProbeInfo *info, gpointer self);
  static void ask_the_others(GstElement *model, const GstStructure *answer, gpointer self);

  const RunListener listener_;
  std::vector<std::string> questions_;
  ElementPtr pipeline_;
  MainLoopPtr loop_;
  Status status_;
  std::atomic<std::int64_t> position_{0};  // ns of stream time that have come in
  Clock::time_point wall_start_;           // of the first picture; the streaming thread's until flowing_
  Duration cpu_start_{};
  std::atomic<bool> flowing_{false};
  std::uint64_t answers_ = 0;
  double standing_at_ = -1;         // stream time of the newest standing answer
  double standing_latency_ms_ = 0;  // and how long it took
  Duration load_{};
  Duration wall_{};
  Duration cpu_{};
  bool interrupted_ = false;
};

}  // namespace saccade::demo
