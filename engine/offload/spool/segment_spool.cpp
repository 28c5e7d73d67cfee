#include "offload/spool/segment_spool.h"

#include <utility>

namespace saccade {

namespace {

// Between two questions of which the first was not answered: the link may be up and the server down.
constexpr auto kPause = std::chrono::seconds(1);
constexpr std::size_t kMostToKeep = 64;  // that wait for the disk
// How often a server may fail over one segment before that is given up, so that it is not the segment that
// fails it and keeps all others waiting. A server that fails everybody is tried once a minute: for more than
// an hour and a half. A link that is down does not count, for nothing leaves then.
constexpr int kMostAttempts = 100;
constexpr char kRun = '@';

std::string name_of_this_run() {
  return kRun + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

Status status_of(const SpoolLoss &loss) {
  const auto kind = loss.why == SpoolLoss::Why::damaged ? StatusKind::corrupt : StatusKind::exhausted;
  return {kind, loss.sentence};
}

Status given_up(const Status &why, int attempts) {
  return {why.kind(),
          why.message() + "; it was asked " + std::to_string(attempts) + " times by now and is given up"};
}

}  // namespace

Result<std::unique_ptr<SegmentSpool>> SegmentSpool::open(const SpoolSettings &settings, std::string model,
                                                         CloudClient &client, Callbacks callbacks) {
  auto spool = Spool::open(settings);
  if (!spool.ok()) return spool.status();
  return std::unique_ptr<SegmentSpool>(
      new SegmentSpool(std::move(spool).value(), std::move(model), client, std::move(callbacks)));
}

SegmentSpool::SegmentSpool(std::unique_ptr<Spool> spool, std::string model, CloudClient &client,
                           Callbacks callbacks)
    : spool_(std::move(spool)),
      model_(std::move(model)),
      client_(client),
      callbacks_(std::move(callbacks)),
      run_(name_of_this_run()),
      worker_([this](const std::stop_token &stop) { work(stop); }) {}

bool SegmentSpool::keep(Waiting segment) {
  const std::lock_guard lock(mutex_);
  if (to_keep_.size() >= kMostToKeep) return false;
  to_keep_.push_back(std::move(segment));
  changed_.notify_all();
  return true;
}

void SegmentSpool::link_is(bool up) {
  const std::lock_guard lock(mutex_);
  up_ = up;
  changed_.notify_all();
}

void SegmentSpool::stop() {
  worker_.request_stop();
  if (worker_.joinable()) worker_.join();
}

// --- The thread
// -----------------------------------------------------------------------------------------------

bool SegmentSpool::may_ask() const {
  return up_ && !asked_ && !nothing_left_ && Clock::now() >= not_before_ && client_.has_room();
}

void SegmentSpool::work(const std::stop_token &stop) {
  while (true) {
    std::deque<Waiting> to_keep;
    std::optional<CloudOutcome> outcome;
    std::optional<Asked> asked;
    bool ask = false;
    {
      std::unique_lock lock(mutex_);
      // Looked at again now and then: nobody says when the client has room, or the pause is over.
      changed_.wait_for(lock, stop, kPause, [&] { return !to_keep_.empty() || outcome_ || may_ask(); });
      if (stop.stop_requested() && to_keep_.empty() && !outcome_) return;
      to_keep.swap(to_keep_);
      outcome.swap(outcome_);
      if (outcome) asked.swap(asked_);
      ask = !stop.stop_requested() && may_ask();
    }
    for (const auto &segment : to_keep) put(segment);
    if (asked) take_answer(*asked, std::move(*outcome));
    if (ask) ask_next();
  }
}

void SegmentSpool::put(const Waiting &segment) {
  SpoolEntry entry;
  entry.header.owner = owner_of_this_run(segment.what.owner);
  entry.header.id = segment.what.id;
  entry.header.question = segment.what.question;
  entry.header.max_tokens = segment.max_tokens;
  entry.header.about = segment.what.about;
  entry.media = segment.media;
  const auto done = spool_->put(entry);
  if (!done.ok()) return lose(segment.what, done.status());
  if (done.value().stored) {
    {
      const std::lock_guard lock(mutex_);
      nothing_left_ = false;
    }
    callbacks_.kept(segment);
  } else if (done.value().same_as) {
    lose(segment.what, {StatusKind::exhausted,
                        "the same question about the same pictures and sound waits on the disk already"});
  }
  tell(done.value().lost);
}

void SegmentSpool::ask_next() {
  auto next = spool_->take();
  if (!next.ok()) {
    say(next.status());
    return pause(false);
  }
  tell(next.value().lost);
  if (!next.value().taken) {
    const std::lock_guard lock(mutex_);
    nothing_left_ = true;
    return;
  }
  auto &[ticket, entry] = *next.value().taken;
  {
    const std::lock_guard lock(mutex_);
    asked_ = Asked{ticket, entry.header, entry.media};
  }
  const auto sent = client_.submit({model_, entry.header.question, std::move(entry.media.images),
                                    entry.header.max_tokens, std::move(entry.media.sound)},
                                   {.done = [this](CloudOutcome outcome) {
                                     {
                                       const std::lock_guard lock(mutex_);
                                       outcome_ = std::move(outcome);
                                       changed_.notify_all();
                                     }
                                     callbacks_.room();
                                   }});
  if (sent.ok()) return;
  say(spool_->not_asked(ticket));
  pause(true);
}

void SegmentSpool::pause(bool asked_before) {
  const std::lock_guard lock(mutex_);
  if (asked_before) asked_.reset();
  not_before_ = Clock::now() + kPause;
}

void SegmentSpool::take_answer(const Asked &asked, CloudOutcome outcome) {
  bool ours = false;
  const auto segment = segment_of(asked.header, &ours);
  callbacks_.left(segment, asked.media, outcome);
  const auto why = outcome.answer.status();
  const bool cut_off = why.kind() == StatusKind::cancelled;  // by the stop
  if (cut_off || (outcome.may_pass && outcome.bytes_sent == 0)) {
    say(spool_->not_asked(asked.ticket));
    return pause(false);
  }
  if (outcome.may_pass && asked.header.attempts < kMostAttempts) {
    say(spool_->put_back(asked.ticket));
    return pause(false);
  }
  if (outcome.may_pass) outcome.answer = given_up(why, asked.header.attempts);
  if (auto done = spool_->done(asked.ticket); done.ok()) {
    said_.clear();
  } else {
    say({done.kind(), done.message() + "; the segment in it is asked again at the next start"});
  }
  callbacks_.ended(segment, std::move(outcome), ours);
}

// What goes wrong with the folder: once, while it goes on.
void SegmentSpool::say(const Status &trouble) {
  if (trouble.ok() || trouble.message() == said_) return;
  said_ = trouble.message();
  callbacks_.trouble(trouble);
}

void SegmentSpool::lose(const SpooledSegment &segment, Status why, bool ours) {
  CloudOutcome none;
  none.answer = std::move(why);
  callbacks_.ended(segment, std::move(none), ours);
}

void SegmentSpool::tell(const std::vector<SpoolLoss> &losses) {
  for (const auto &loss : losses) {
    bool ours = false;
    const auto segment = segment_of(loss.header, &ours);
    lose(segment, status_of(loss), ours);
  }
}

SpooledSegment SegmentSpool::segment_of(const SpoolHeader &header, bool *ours) const {
  const auto mark = header.owner.rfind(kRun);
  *ours = mark != std::string::npos && header.owner.substr(mark) == run_;
  return {header.owner.substr(0, mark), header.id, header.question, header.about};
}

}  // namespace saccade
