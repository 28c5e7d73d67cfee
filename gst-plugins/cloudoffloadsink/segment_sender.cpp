// The life of a sender, and what it does for its element; its worker is in segment_sender_worker.cpp.
#include "cloudoffloadsink/segment_sender.h"

#include <algorithm>
#include <utility>

namespace saccade::gst {

namespace {

// Audit lines that may wait for the disk. More hold the client up: nothing leaves without its line.
constexpr std::size_t kQueuedLines = 1024;
constexpr std::size_t kQueuedFrames = 8;         // raw copies that may wait for the JPEG encoder
constexpr std::size_t kRememberedSegments = 64;  // begun lately: their late frames belong to nobody else

SegmentBegin begun(const SpooledSegment &segment) {
  return {segment.owner, segment.id, segment.question, segment.about};
}

// What can be said of what an earlier run has made.
AuditRecord account_of(const SegmentMedia &media) {
  AuditRecord account;
  for (const auto &image : media.images) {
    account.pictures.emplace_back();
    account.pictures.back().bytes = image.size();
    account.pictures.back().sha256 = sha256_of(image);
  }
  if (!media.sound.empty()) account.sound = {media.sound.size(), sha256_of(media.sound)};
  return account;
}

}  // namespace

Result<std::unique_ptr<SegmentSender>> SegmentSender::create(CloudOffloadSettings settings,
                                                             Callbacks callbacks) {
  std::unique_ptr<SegmentSender> sender(new SegmentSender(std::move(settings), std::move(callbacks)));
  auto *self = sender.get();
  auto client = CloudClient::create(
      self->settings_.cloud, [self](const CloudStatistics &now, bool changed, const std::string &reason) {
        if (self->spool_) self->spool_->link_is(now.link.up);
        self->callbacks_.link(now, changed, reason);
      });
  if (!client.ok()) return client.status();
  sender->client_ = std::move(client).value();
  auto pictures = PictureMaker::create(self->settings_);
  if (!pictures.ok()) return pictures.status();
  sender->pictures_ = std::move(pictures).value();
  if (!self->settings_.audit.path.empty()) {
    auto audit = AuditLog::open(self->settings_.audit);
    if (!audit.ok()) return audit.status();
    sender->audit_.emplace(std::move(audit).value());
    sender->lines_.start();
  }
  if (auto status = sender->open_spool(); !status.ok()) return status;
  sender->queue_.start();
  return sender;
}

SegmentSender::SegmentSender(CloudOffloadSettings settings, Callbacks callbacks)
    : settings_(std::move(settings)),
      callbacks_(std::move(callbacks)),
      lines_({.process =
                  [this](const AuditRecord &line, const std::stop_token &) {
                    if (const auto written = audit_->append(line); !written.ok()) callbacks_.trouble(written);
                  },
              .forward = [](const EventPtr &) {},
              .dropped = {},
              .replacement = {},
              .event_dropped = {}}),
      queue_({.process = [this](QueuedFrame frame,
                                const std::stop_token &stop) { process(std::move(frame), stop); },
              .forward = [](const EventPtr &) {},
              .dropped =
                  [this](const QueuedFrame &frame, DropReason reason) {
                    if (reason != DropReason::leak) return;  // flush and stop cancel the segments themselves
                    end(frame.serial, {StatusKind::exhausted,
                                       "frames arrive faster than JPEGs can be made of them; lower the "
                                       "frame rate or max-size"});
                  },
              .replacement = {},
              .event_dropped = {}}) {
  lines_.configure(kQueuedLines, Leaky::none);
  queue_.configure(kQueuedFrames, Leaky::upstream);
}

Status SegmentSender::open_spool() {
  if (settings_.spool.folder.empty()) return {};
  auto spool = SegmentSpool::open(
      settings_.spool, settings_.model, *client_,
      {.kept =
           [this](const SegmentSpool::Waiting &segment) {
             callbacks_.kept(begun(segment.what), segment.why);
           },
       .ended =
           [this](const SpooledSegment &segment, CloudOutcome outcome, bool ours) {
             SegmentResult result;
             result.segment = begun(segment);
             result.outcome = std::move(outcome);
             result.waited = true;
             result.owner_knows = ours;
             report(result);
           },
       .left =
           [this](const SpooledSegment &segment, const SegmentMedia &media, const CloudOutcome &outcome) {
             account(record_of(begun(segment), account_of(media)), outcome);
           },
       .trouble = callbacks_.trouble,
       .room = [this] { wake(); }});
  if (!spool.ok()) return spool.status();
  spool_ = std::move(spool).value();
  spool_->link_is(true);  // until it says otherwise
  return {};
}

// --- Streaming thread
// -----------------------------------------------------------------------------------------

void SegmentSender::set_live(bool live) {
  const std::lock_guard lock(mutex_);
  live_ = live;
  changed_.notify_all();
}

SegmentSender::Serial SegmentSender::add_segment(SegmentBegin what, bool plain) {
  Segment segment;
  segment.what = std::move(what);
  segment.plain = plain;
  segments_.emplace(++last_serial_, std::move(segment));
  ++statistics_.segments;
  return last_serial_;
}

void SegmentSender::begin(const SegmentBegin &what) {
  std::vector<Serial> unfinished;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[serial, segment] : segments_) {
      if (segment.what.owner == what.owner && (!segment.complete || segment.waits_for_draft()))
        unfinished.push_back(serial);
    }
    add_segment(what, false);
    begun_.push_back(what.id);
    if (begun_.size() > kRememberedSegments) begun_.pop_front();
  }
  for (const Serial serial : unfinished) {
    end(serial,
        {StatusKind::invalid_argument, "another segment began before this one's last frame or draft came"});
  }
}

void SegmentSender::draft(const SegmentDraft &draft) {
  std::optional<CloudClient::Ticket> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (auto &[serial, segment] : segments_) {
      if (segment.what.owner != draft.owner || segment.what.id != draft.id) continue;
      segment.draft = draft;
      if (std::exchange(segment.held, false)) waiting = segment.ticket;
    }
  }
  if (waiting) client_->go_on(*waiting, draft.verify ? draft.text : std::string());
}

// The open segment that a frame belongs to, made when there is none yet; nothing when it was cancelled or has
// ended.
std::optional<SegmentSender::Serial> SegmentSender::segment_for(const std::optional<SegmentInfo> &info,
                                                                const Asking &asking) {
  if (!info) {
    if (live_ && segments_.size() >= static_cast<std::size_t>(settings_.cloud.max_in_flight)) {
      ++statistics_.skipped;
      return std::nullopt;
    }
    return add_segment({"", last_serial_ + 1, asking.prompt, {}}, true);
  }
  const auto newest = std::find_if(segments_.rbegin(), segments_.rend(), [&](const auto &entry) {
    return entry.second.what.id == info->id && !entry.second.complete && !entry.second.plain;
  });
  if (newest != segments_.rend()) return newest->first;
  if (std::find(begun_.begin(), begun_.end(), info->id) != begun_.end()) return std::nullopt;
  return add_segment({"", info->id, asking.prompt, {}}, false);
}

void SegmentSender::frame(SegmentFrame frame, const std::optional<SegmentInfo> &info, const Asking &asking) {
  const bool final = !info || info->final;
  Serial serial = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segment_for(info, asking);
    if (!found) return;
    serial = *found;
    if (final) {
      Segment &segment = segments_.at(serial);
      segment.complete = true;
      segment.completed = Clock::now();
      segment.max_tokens = asking.max_tokens;
    }
  }
  queue_.push({serial, std::move(frame), final});
}

bool SegmentSender::wait_for_space(const std::function<bool()> &give_up) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return live_ || queue_.level() < kQueuedFrames || give_up(); });
  return live_ || queue_.level() < kQueuedFrames;
}

void SegmentSender::drain(Duration patience, const std::function<bool()> &give_up) {
  std::vector<Serial> left;
  const auto gather = [&](auto wanted) {
    left.clear();
    for (const auto &[serial, segment] : segments_) {
      if (wanted(segment)) left.push_back(serial);
    }
  };
  std::unique_lock lock(mutex_);
  gather([](const Segment &segment) { return !segment.complete || segment.waits_for_draft(); });
  lock.unlock();
  for (const Serial serial : left) {
    end(serial,
        {StatusKind::invalid_argument, "the stream ended before the segment's last frame or draft came"});
  }

  lock.lock();
  changed_.wait_for(lock, patience, [&] { return (segments_.empty() && reporting_ == 0) || give_up(); });
  if (give_up()) return;
  gather([](const Segment &) { return true; });
  lock.unlock();
  CloudOutcome late;
  late.answer = Status(StatusKind::timed_out, "the stream ended and no answer came within drain-timeout");
  late.may_pass = true;
  for (const Serial serial : left) end(serial, late);
}

// --- Any thread
// -----------------------------------------------------------------------------------------------

void SegmentSender::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void SegmentSender::cancel(const SegmentCancel &cancel) {
  cancel_those([&](const Segment &segment) {
    return segment.what.owner == cancel.owner && segment.what.id == cancel.id && !segment.plain;
  });
}

void SegmentSender::cancel_all() {
  cancel_those([](const Segment &) { return true; });
}

template <typename Wanted>
void SegmentSender::cancel_those(Wanted wanted) {
  std::vector<Segment> cancelled;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(segments_, [&](auto &entry) {
      if (!wanted(entry.second)) return false;
      answer_is_useless(entry.first, "cancelled");
      cancelled.push_back(std::move(entry.second));
      return true;
    });
    statistics_.cancelled += cancelled.size();
  }
  wake();  // who waits for these segments
  for (const auto &segment : cancelled) {
    if (segment.ticket) withdraw(*segment.ticket);
  }
}

void SegmentSender::set_flushing(bool flushing) {
  if (flushing) cancel_all();
  queue_.set_flushing(flushing);
  if (flushing) cancel_all();  // what came in between
}

void SegmentSender::stop() {
  cancel_all();
  queue_.stop();
  cancel_all();
  if (client_) client_->stop();  // null where create() failed
  if (spool_) spool_->stop();    // behind it, for what it has to say of what it was asked
  lines_.drain();                // behind both, for what has left
  lines_.stop();
}

SenderStatistics SegmentSender::statistics() const {
  // Before the lock, which the streaming thread wants, too: the spool may be waiting for the disk.
  const auto cloud = client_->statistics();
  const auto spool = spool_ ? spool_->statistics() : SpoolStatistics();
  const std::lock_guard lock(mutex_);
  SenderStatistics now = statistics_;
  now.cloud = cloud;
  now.spool = spool;
  return now;
}

}  // namespace saccade::gst
