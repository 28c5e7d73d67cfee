// What the sender's worker does: it makes files of pictures and sound, asks the cloud, and says how segments
// ended.
#include <algorithm>
#include <utility>

#include "cloudoffloadsink/segment_sender.h"
#include "offload/chat/same_words.h"
#include "offload/upload/upload_sound.h"

namespace saccade::gst {

namespace {

constexpr std::size_t kMostFrames = 64;  // per segment; more would be a request that no server takes

bool confirms(const Result<Answer> &answer, const std::optional<SegmentDraft> &draft) {
  return answer.ok() && draft && same_words(answer.value().text, draft->text);
}

SpooledSegment spooled(const SegmentBegin &segment) {
  return {segment.owner, segment.id, segment.question, segment.about};
}

}  // namespace

void SegmentSender::process(QueuedFrame queued, const std::stop_token &stop) {
  wake();  // there is room in the queue
  const auto serial = queued.serial;
  auto &[picture, sound] = queued.frame;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(serial);
    if (found == segments_.end()) return;  // cancelled meanwhile
    auto &heard = found->second.heard;
    heard = joined_sound(std::move(heard), sound);
  }
  if (picture) {
    const auto link = client_->statistics().link;
    auto made = pictures_->make(*picture, link.throughput_p10 > 0 ? link.throughput_p10 : link.throughput);
    if (!made.ok()) return end(serial, made.status());
    if (auto added = add(serial, std::move(made).value()); !added.ok()) return end(serial, added);
  }
  if (queued.final && complete(serial)) send(serial, stop);
}

Status SegmentSender::add(Serial serial, PictureMaker::Made made) {
  const std::lock_guard lock(mutex_);
  const auto found = segments_.find(serial);
  if (found == segments_.end()) return {};
  auto &images = found->second.media.images;
  if (images.size() == kMostFrames)
    return {StatusKind::invalid_argument, "the segment holds more than 64 frames; send fewer"};
  statistics_.pictures += made.anew;
  images.push_back(std::move(made.jpeg));
  found->second.made.pictures.push_back(made.audit);
  return {};
}

// All frames are here: a file of what was heard with them. False when nothing is left to be sent.
bool SegmentSender::complete(Serial serial) {
  const auto with = [&](const auto &what) {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(serial);
    if (found != segments_.end()) what(found->second);
    return found != segments_.end();
  };
  SoundClip heard;
  if (!with([&](Segment &segment) { heard = std::exchange(segment.heard, {}); })) return false;
  auto sound = wav_file(heard);
  std::optional<AuditSound> made;
  if (!sound.empty()) made = {sound.size(), sha256_of(sound)};
  bool empty = false;
  const bool open = with([&](Segment &segment) {
    segment.media.sound = std::move(sound);
    segment.made.sound = made;
    if (spool_) segment.for_spool = segment.media;
    empty = segment.media.empty();
  });
  if (open && empty)
    end(serial,
        {StatusKind::invalid_argument, "the segment holds neither a picture that is to be sent nor a sound"});
  return open && !empty;
}

void SegmentSender::send(Serial serial, const std::stop_token &stop) {
  ChatQuestion question;
  std::optional<std::string> draft;
  {
    std::unique_lock lock(mutex_);
    const auto room_or_no_need = [&] { return live_ || client_->has_room() || !segments_.contains(serial); };
    if (!changed_.wait(lock, stop, room_or_no_need)) return;
    const auto found = segments_.find(serial);
    if (found == segments_.end()) return;
    Segment &segment = found->second;
    question = {settings_.model, segment.what.question, std::move(segment.media.images), segment.max_tokens,
                std::move(segment.media.sound)};
    draft = segment.to_verify();
    if (audit_) uploads_.emplace(serial, record_of(segment.what, std::move(segment.made)));
    segment.held = !draft;
  }
  const auto ticket =
      client_->submit(std::move(question),
                      {.done = [this, serial](CloudOutcome outcome) { called(serial, std::move(outcome)); },
                       .growth = [this, serial](const std::string &text) { grow(serial, text); },
                       .draft = draft});
  if (!ticket.ok()) {
    {
      const std::lock_guard lock(mutex_);
      uploads_.erase(serial);  // nothing left
    }
    return end(serial, CloudClient::outcome_of_refusal(ticket.status()),
               ticket.status().kind() == StatusKind::unavailable);
  }
  place(serial, ticket.value(), !draft);
}

// The segment's ticket; what happened to it while it was on its way to the client is made up for.
void SegmentSender::place(Serial serial, CloudClient::Ticket ticket, bool without_draft) {
  std::optional<std::string> draft;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(serial);
    if (found != segments_.end()) {
      Segment &segment = found->second;
      segment.ticket = ticket;
      if (!without_draft || segment.held) return;
      draft = segment.to_verify();
    }
  }
  if (draft) return client_->go_on(ticket, *draft);
  withdraw(ticket);  // it ended or was cancelled
}

// The client gives the call up, if it is still out, and whoever waits for room looks again.
void SegmentSender::withdraw(CloudClient::Ticket ticket) {
  client_->cancel(ticket);
  wake();
}

void SegmentSender::grow(Serial serial, const std::string &text) {
  SegmentBegin what;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(serial);
    if (found == segments_.end() || found->second.plain) return;
    what = found->second.what;
  }
  callbacks_.grows(what, text);
}

void SegmentSender::end(Serial serial, Status why) {
  CloudOutcome none;
  none.answer = std::move(why);
  end(serial, std::move(none));
}

// True when it will be asked later.
bool SegmentSender::keep(Segment &segment, const CloudOutcome &outcome) {
  if (!spool_ || !outcome.may_pass || segment.plain || segment.for_spool.empty()) return false;
  return spool_->keep(
      {spooled(segment.what), std::move(segment.for_spool), segment.max_tokens, outcome.answer.status()});
}

AuditRecord SegmentSender::record_of(const SegmentBegin &what, AuditRecord made) {
  made.owner = what.owner;
  made.id = what.id;
  made.question = what.question;
  return made;
}

// What the client says of a call, once per call.
void SegmentSender::called(Serial serial, CloudOutcome outcome) {
  std::optional<AuditRecord> record;
  {
    const std::lock_guard lock(mutex_);
    if (auto upload = uploads_.extract(serial)) record = std::move(upload.mapped());
  }
  if (record) account(std::move(*record), outcome);
  end(serial, std::move(outcome));
}

// Its segment has ended without it.
void SegmentSender::answer_is_useless(Serial serial, const std::string &why) {
  const auto upload = uploads_.find(serial);
  if (upload != uploads_.end()) upload->second.outcome = why;
}

// What left, or began to leave.
void SegmentSender::account(AuditRecord record, const CloudOutcome &outcome) {
  if (!audit_) return;
  record.time = std::chrono::system_clock::now();
  record.endpoint = outcome.asked;
  if (record.outcome.empty())
    record.outcome = outcome.answer.ok() ? "answered" : outcome.answer.status().message();
  lines_.push(std::move(record));
}

// Ends the segment if it is still open, and its call with it, and says so.
void SegmentSender::end(Serial serial, CloudOutcome outcome, bool link_is_down) {
  Segment segment;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(serial);
    if (found == segments_.end()) return;
    segment = std::move(found->second);
    segments_.erase(found);
    if (!outcome.answer.ok()) answer_is_useless(serial, outcome.answer.status().message());
    ++reporting_;
  }
  if (segment.ticket) withdraw(*segment.ticket);
  if (outcome.answer.ok() || !keep(segment, outcome)) {
    SegmentResult result;
    result.verified = confirms(outcome.answer, segment.draft);
    result.plain = segment.plain;
    result.link_is_down = link_is_down;
    result.outcome = std::move(outcome);
    if (segment.complete) result.latency_ms = to_milliseconds(Clock::now() - segment.completed);
    result.segment = std::move(segment.what);
    report(result);
  }
  const std::lock_guard lock(mutex_);
  --reporting_;
  changed_.notify_all();
}

void SegmentSender::report(const SegmentResult &result) {
  {
    const std::lock_guard lock(mutex_);
    ++(result.outcome.answer.ok() ? statistics_.answered : statistics_.failed);
  }
  callbacks_.ended(result);
}

}  // namespace saccade::gst
