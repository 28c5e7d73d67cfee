// What becomes of an answer that the worker of a run has made: it is shown, or held until the cloud has
// spoken.
#include <algorithm>
#include <utility>

#include "localmllm/local_run.h"

namespace saccade::gst {

// link: the one that heard of the question before the draft.
void LocalRun::give(Answer answer, bool standing, OffloadLink *link) {
  // The cloud is asked about what was said, whatever is shown meanwhile.
  const bool asked = desk_.finish(link, segment_for(answer));
  if (asked) {
    answer.source = AnswerSource::edge_draft;
    const std::lock_guard lock(mutex_);
    ++counters_.offloaded;
  }
  const bool unsure = static_cast<double>(answer.confidence) < settings_.router.confidence_threshold;
  if (unsure && !settings_.unsure_text.empty())
    answer.unsure_of = std::exchange(answer.text, settings_.unsure_text);
  // An older draft is not shown after a newer answer.
  show_late(held_.take_about(answer.question));
  if (asked && hold(answer, standing)) return;
  said_ = true;
  announce(answer, standing);
  text_.write(answer, current_->time);
}

// False when it has no time left to wait.
bool LocalRun::hold(const Answer &answer, bool standing) {
  const auto left =
      Duration(static_cast<std::int64_t>(settings_.draft_hold)) - answer.timings.capture_to_answer;
  if (left <= Duration{}) return false;
  const auto now = Clock::now();
  held_.add({answer, standing, now, now + left});
  queue_.call_at(held_.next());
  return true;
}

// Drafts that waited for nothing, at the place that the text pad has reached.
void LocalRun::show_late(std::vector<HeldDraft> drafts) {
  for (auto &[answer, standing, made, until] : drafts) {
    answer.timings.capture_to_answer += Clock::now() - made;
    announce(answer, standing);
    text_.correct(answer);
  }
}

void LocalRun::show_due() {
  take_cloud_answers();  // what came at the last moment is better than the draft
  show_late(held_.take_due(Clock::now()));
  queue_.call_at(held_.next());
}

void LocalRun::announce(const Answer &answer, bool standing) {
  tell_late(answer);
  stand(answer, standing);
  publish(answer);
}

void LocalRun::stand(const Answer &answer, bool standing) {
  if (standing && (!standing_ || answer.question == first_standing_)) standing_ = answer;
}

// --- the cloud's ----------------------------------------------------------------------------------------

void LocalRun::take_cloud_answers() {
  if (const auto link = offload()) take_cloud_answers(*link);
}

void LocalRun::take_cloud_answers(OffloadLink &link) {
  while (auto arrived = link.take()) {
    desk_.learn(*arrived);
    if (arrived->answer.ok) {
      publish_cloud(*arrived);
    } else {
      warn("the cloud did not answer \"" + arrived->draft.question + "\"; the local answer stands",
           {StatusKind::unavailable, arrived->answer.reason});
      auto held = held_.take(arrived->draft.id);
      if (!held) continue;
      held->answer.source = AnswerSource::edge;
      show_late({std::move(*held)});
    }
  }
}

void LocalRun::publish_cloud(const OffloadLink::Arrived &arrived) {
  const auto &cloud = arrived.answer;
  if (cloud.partial && !settings_.partial) return;
  Answer answer = arrived.draft;
  const auto held = cloud.partial ? std::nullopt : held_.take(answer.id);
  // While it grows it has the id of the draft: it may still fail, and the draft then stands. Of a draft that
  // nobody has seen there is nothing to correct.
  if (arrived.drafted && !cloud.partial && !held) {
    answer.supersedes = answer.id;
    answer.id = new_id();
  }
  answer.text = cloud.text;
  answer.token_log_probabilities.clear();
  answer.confidence = static_cast<float>(cloud.confidence);
  answer.source = cloud.verified ? AnswerSource::cloud_verified : AnswerSource::cloud;
  answer.partial = cloud.partial;
  answer.truncated = false;
  answer.timings.capture_to_answer += Clock::now() - arrived.since;
  publish(answer);
  text_.correct(answer);
  if (cloud.partial) return;
  {
    const std::lock_guard lock(mutex_);
    ++counters_.corrected;
  }
  // After edgeVLM (arXiv 2508.12638): a late answer of the cloud becomes what the edge knows.
  if (settings_.cloud_knowledge) answerer_->learn(answer.about, answer.question, answer.text);
  if (held) stand(answer, held->standing);
  if (standing_ && answer.supersedes && standing_->id == *answer.supersedes) standing_ = answer;
}

// No more pictures come. Drafts are shown when their time is up, as ever.
void LocalRun::drain_cloud(OffloadLink &link) {
  const auto until = Clock::now() + Duration(static_cast<std::int64_t>(settings_.drain_timeout));
  while (true) {
    const auto next = held_.next();
    if (link.wait(std::min(next.value_or(until), until))) {
      take_cloud_answers(link);
    } else if (next && *next <= until) {
      show_late(held_.take_due(*next));
    } else {
      break;
    }
  }
  if (const auto left = link.awaited())
    warn(std::to_string(left) + " cloud answer(s) did not come within drain-timeout; the local answers stand",
         {StatusKind::timed_out, "raise drain-timeout or check the link"});
}

}  // namespace saccade::gst
