// What the user set on a localmllm. Copied when a run starts; what may change while playing is said here.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>
#include <vector>

#include "mllm/answer_schedule.h"
#include "mllm/segment_answerer.h"
#include "offload/routing/router.h"

namespace saccade::gst {

enum class LeakySetting { automatic, none, upstream, downstream };
enum class TimestampMode { automatic, arrival, content };
enum class OnUnchanged { gap, repeat };
enum class PromptPositionSetting { automatic, after, before };
// What the model is given of the sound that comes with a picture: its samples where it hears, a sentence that
// there was one, or nothing.
enum class SoundSetting { automatic, text, none };

struct LocalMllmSettings {
  // Standing questions are often answered as before, and checking a guess takes no longer than one or two
  // words, also where it is wrong (docs/benchmarks.md, Guesses).
  LocalMllmSettings() { answerer.session.guesses = 8; }

  ModelFiles files;
  SegmentAnswererOptions answerer;
  std::string prompt;                     // may change while playing,
  std::vector<std::string> more_prompts;  // as may these
  PromptPositionSetting prompt_position = PromptPositionSetting::automatic;
  SoundSetting sound = SoundSetting::automatic;
  bool partial = false;
  std::string unsure_text;
  AnswerOn answer_on = AnswerOn::change;
  GstClockTime answer_every = 0;
  LeakySetting leaky = LeakySetting::automatic;
  unsigned max_queue = 2;
  TimestampMode timestamp = TimestampMode::automatic;
  GstClockTime display_duration = 2 * GST_SECOND;
  GstClockTime latency_budget = 0;
  GstClockTime max_answer_age = 0;
  OnUnchanged on_unchanged = OnUnchanged::gap;
  RouterSettings router;
  GstClockTime draft_hold = 0;
  bool cloud_knowledge = false;
  unsigned offload_size = 640;  // longest edge in pixels
  bool offload_sound = false;   // whether sound may leave with the pictures
  std::string metrics_file;     // empty = none
  GstClockTime drain_timeout = 5 * GST_SECOND;
};

// That a live pipeline is told to wait for, with timestamp=content.
inline GstClockTime declared_latency(const LocalMllmSettings &settings) {
  return settings.latency_budget ? settings.latency_budget : GST_SECOND;
}

// The standing questions, without empty ones.
inline std::vector<std::string> standing_questions(const LocalMllmSettings &settings) {
  std::vector<std::string> questions{settings.prompt};
  questions.insert(questions.end(), settings.more_prompts.begin(), settings.more_prompts.end());
  std::erase(questions, "");
  return questions;
}

}  // namespace saccade::gst
