#include "offload/cloud/cloud_ask.h"

#include <algorithm>
#include <utility>

#include "offload/chat/draft_check.h"
#include "offload/cloud/endpoint.h"

namespace saccade {

CloudAsk::CloudAsk(const CallTools &tools, std::size_t endpoint, ChatQuestion question,
                   std::optional<std::string> draft, Listeners listeners)
    : tools_(tools),
      endpoint_(endpoint),
      question_(std::move(question)),
      draft_(std::move(draft)),
      listeners_(std::move(listeners)) {}

void CloudAsk::start() {
  if (draft_) return call({use_of_draft(), *draft_});
  held_ = true;
  place_call(std::nullopt);
}

void CloudAsk::go_on(std::string draft) {
  if (!held_) return;
  held_ = false;
  draft_ = std::move(draft);
  use_ = use_of_draft();
  call_->complete(chat_request_tail(question_, {use_, *draft_}));
}

void CloudAsk::cancel() {
  cancelled_ = true;
  call_->cancel();
}

void CloudAsk::abandon() {
  cancelled_ = true;
  call_->abandon();
}

// --- Calls
// ----------------------------------------------------------------------------------------------------

DraftUse CloudAsk::use_of_draft() const {
  if (!draft_ || draft_->empty()) return DraftUse::none;
  switch (tools_.endpoints.ability(endpoint_)) {
    case DraftAbility::unknown:
    case DraftAbility::predicts: return DraftUse::predict;
    case DraftAbility::silent:
    case DraftAbility::scores: return DraftUse::score;
    case DraftAbility::none: break;
  }
  return DraftUse::none;
}

void CloudAsk::call(const GivenWords &given) {
  if (cancelled_) return end(Status(StatusKind::cancelled, "the question to the cloud was cancelled"));
  use_ = given.use;
  place_call(chat_request_tail(question_, given));
}

void CloudAsk::place_call(std::optional<std::string> tail) {
  const auto growth = [this](const std::string &text) {
    if (listeners_.growth) listeners_.growth(accepted_ + text);
  };
  call_ = std::make_unique<CloudCall>(tools_, endpoint_, chat_request_head(question_), std::move(tail),
                                      growth, [this](CallReport report) { on_report(std::move(report)); });
  call_->start();
}

void CloudAsk::on_report(CallReport report) {
  add_up(report);
  endpoint_ = report.endpoint;
  if (listeners_.call) listeners_.call(report);
  if (!report.reply.ok() && (cancelled_ || !report.refused)) return end(report.reply.status());
  switch (use_) {
    case DraftUse::predict: return on_predicted(report);
    case DraftUse::score: return on_scored(report);
    case DraftUse::none:
    case DraftUse::go_on: return on_answered(report);
  }
}

void CloudAsk::on_predicted(const CallReport &report) {
  const bool known = tools_.endpoints.ability(endpoint_) == DraftAbility::predicts;
  if (!report.reply.ok()) {
    // Perhaps it is the prediction that it does not want.
    if (known) return end(report.reply.status());
    tools_.endpoints.learn(endpoint_, DraftAbility::silent);
    return call({});
  }
  const auto &reply = report.reply.value();
  tools_.endpoints.learn(endpoint_, reply.predicted_right ? DraftAbility::predicts : DraftAbility::silent);
  if (reply.predicted_right) {
    outcome_.verification = Verification::predicted;
    drafted_right_ = *reply.predicted_right;
    drafted_ = drafted_right_ + reply.predicted_wrong.value_or(0);
  }
  finish(reply);
}

void CloudAsk::on_scored(const CallReport &report) {
  const bool known = tools_.endpoints.ability(endpoint_) == DraftAbility::scores;
  DraftCheck check;
  if (report.reply.ok() && report.reply.value().prompt_tokens)
    check = check_draft(*report.reply.value().prompt_tokens, *draft_);
  if (!check.told) {
    // A server that scores may still fail to show one draft's tokens as they are.
    if (!known) tools_.endpoints.learn(endpoint_, DraftAbility::none);
    return call({});
  }
  tools_.endpoints.learn(endpoint_, DraftAbility::scores);
  outcome_.verification = Verification::scored;
  drafted_ = check.tokens;
  drafted_right_ = check.tokens_accepted;
  accepted_ = check.accepted;
  accepted_log_probabilities_ = std::move(check.log_probabilities);
  const auto &next = report.reply.value();
  const bool nothing_follows = next.text.empty() && next.complete && !next.truncated;
  if (check.whole && nothing_follows) return finish({});
  if (accepted_.empty()) return call({});
  question_.max_tokens =
      std::max(1, question_.max_tokens - static_cast<int>(accepted_log_probabilities_.size()));
  call({DraftUse::go_on, accepted_});
}

void CloudAsk::on_answered(const CallReport &report) {
  if (!report.reply.ok()) return end(report.reply.status());
  finish(report.reply.value());
}

// --- The end
// ----------------------------------------------------------------------------------------------------

void CloudAsk::finish(const ChatReply &reply) {
  ChatReply whole = reply;
  whole.text = accepted_ + reply.text;
  // Of an answer that is told of in part nothing is known.
  const bool told = !reply.log_probabilities.empty() || reply.text.empty();
  whole.log_probabilities = told ? accepted_log_probabilities_ : std::vector<float>();
  whole.log_probabilities.insert(whole.log_probabilities.end(), reply.log_probabilities.begin(),
                                 reply.log_probabilities.end());
  auto answer = answer_of(whole);
  if (answer.ok()) {
    answer.value().tokens_guessed = drafted_;
    answer.value().tokens_guessed_right = drafted_right_;
    return end(std::move(answer));
  }
  end(Status(answer.status().kind(), outcome_.asked + " gave no answer: " + answer.status().message()));
}

void CloudAsk::add_up(const CallReport &report) {
  outcome_.asked = url_for_people(tools_.endpoints.url(report.endpoint));
  if (outcome_.first_text == Duration::zero() && report.first_text > Duration::zero())
    outcome_.first_text = outcome_.took + report.first_text;
  outcome_.bytes_sent += report.bytes_sent;
  outcome_.bytes_received += report.bytes_received;
  outcome_.took += report.took;
  outcome_.last_attempt = report.last_attempt;
  ++outcome_.calls;
  outcome_.attempts += report.attempts;
  outcome_.attempts_lost += report.attempts_lost;
  outcome_.may_pass = report.may_pass;
}

void CloudAsk::end(Result<Answer> answer) {
  outcome_.answer = std::move(answer);
  const auto done = std::move(listeners_.done);
  done(std::move(outcome_));  // `this` may be gone from here on
}

}  // namespace saccade
