// A localmllm while it runs: from READY→PAUSED to PAUSED→READY. A restart is a new LocalRun.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/stage_queue.h"
#include "localmllm/frame_intake.h"
#include "localmllm/offload_desk.h"
#include "localmllm/offload_link.h"
#include "localmllm/question_desk.h"
#include "localmllm/run_counters.h"
#include "localmllm/settings.h"
#include "localmllm/text_pad.h"
#include "mllm/answer_schedule.h"
#include "mllm/held_drafts.h"
#include "mllm/segment_answerer.h"
#include "mllm/stale_watch.h"
#include "sparsity/mas_report.h"

namespace saccade::gst {

// The pads stay the element's. chain() and the serialized events come from the streaming thread; what
// leaves on src and offload leaves from the worker alone, so that nothing overtakes.
class LocalRun {
 public:
  struct Pads {
    GstElement *element;
    GstPad *sink;
    GstPad *src;
  };

  // Loads the model: seconds for a large one.
  static Result<std::unique_ptr<LocalRun>> create(const Pads &pads, const LocalMllmSettings &settings);
  ~LocalRun() { stop(); }

  void start() { queue_.start(); }
  void cancel();  // from any state; frees blocked calls, does not wait
  void stop();    // cancel(), then waits for the worker

  GstFlowReturn chain(GstBuffer *buffer);          // takes the buffer
  bool take_event(GstEvent *event);                // serialized ones and flushes; takes the event
  std::uint64_t ask(const std::string &question);  // see QuestionDesk
  void set_standing(std::vector<std::string> questions);
  void set_offload(std::shared_ptr<OffloadLink> link);
  void cloud_spoke();  // something can be taken from the offload link

  PatchGrid patches() const { return answerer_->patches(); }
  bool stamps_content() const;
  GstStructure *statistics() const;  // the caller owns it

 private:
  LocalRun(const Pads &pads, const LocalMllmSettings &settings, std::unique_ptr<SegmentAnswerer> answerer);

  void tell_held();  // with no worker at work

  // Streaming thread.
  void settle_liveness();
  bool wanted(const std::optional<MasReport> &mas, const FrameTime &time);
  bool flush(GstEvent *event, bool on);

  // Worker.
  void process(Picture picture, std::stop_token stop);
  Status see(const Picture &picture, std::stop_token stop);
  Status hear(const Picture &picture, std::stop_token stop);
  void answer_standing_questions(std::stop_token stop);
  void answer_waiting_questions(std::stop_token stop);
  bool answer(const std::string &question, Clock::time_point since, bool standing, std::stop_token stop);
  Answer unanswered(const std::string &question) const;
  Result<Answer> make_answer(Answer &growing, Clock::time_point since, std::stop_token stop);
  Duration waited_for(const Answer &answer, Clock::time_point since, bool standing) const;
  void tell_late(const Answer &answer);
  OffloadDesk::Segment segment_for(const Answer &answer) const;

  // Worker, in local_run_answers.cpp.
  void give(Answer answer, bool standing, OffloadLink *link);
  bool hold(const Answer &answer, bool standing);
  void show_late(std::vector<HeldDraft> drafts);
  void show_due();
  void announce(const Answer &answer, bool standing);
  void stand(const Answer &answer, bool standing);
  void take_cloud_answers();
  void take_cloud_answers(OffloadLink &link);
  void publish_cloud(const OffloadLink::Arrived &arrived);
  void drain_cloud(OffloadLink &link);

  // Worker.
  void forward(EventPtr event);
  void forward_gap(GstEvent *event);
  void forward_eos();
  void pass(const FrameTime &time);
  void publish(const Answer &answer);
  void tell_load(Duration busy);
  void write_metrics();

  // Any thread.
  void lost(const Picture &picture, DropReason reason);
  void warn(const std::string &what, const Status &status) const;
  void tell_dropped(const MasReport &mas, const char *reason) const;
  void stop_work();
  std::stop_token stop_token() const;
  std::uint64_t new_id();
  std::shared_ptr<OffloadLink> offload() const;
  void wake();

  const Pads pads_;
  const LocalMllmSettings settings_;
  const std::unique_ptr<SegmentAnswerer> answerer_;  // the worker's, but for its const functions

  // Streaming thread.
  FrameIntake intake_;
  bool liveness_known_ = false;

  // Worker.
  TextPad text_;
  GstSegment segment_;
  OffloadDesk desk_;
  HeldDrafts held_;
  std::optional<Picture> current_;  // the newest picture seen
  std::optional<Answer> standing_;  // the last answer to the first standing question
  std::string first_standing_;      // the question that it answers
  bool said_ = false;               // something about the current picture is on the text pad
  bool told_late_ = false;
  bool told_metrics_ = false;
  Clock::time_point load_window_ = Clock::now();
  Duration busy_{};

  QuestionDesk questions_;
  StaleWatch stale_;

  mutable std::mutex mutex_;  // all below
  bool live_ = false;
  std::stop_source stopping_;
  AnswerSchedule schedule_;
  std::shared_ptr<OffloadLink> offload_;
  std::uint64_t last_id_ = 0;
  RunCounters counters_;

  StageQueue<Picture> queue_;  // last: its worker uses all above
};

}  // namespace saccade::gst
