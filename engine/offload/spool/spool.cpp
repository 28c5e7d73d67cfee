#include "offload/spool/spool.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "offload/spool/spool_file.h"
#include "offload/spool/spool_folder.h"

namespace saccade {

namespace {

// Earlier than this no clock that was ever set can be (2020-01-01).
constexpr WallTime kClockWasSet{std::chrono::seconds(1577836800)};
constexpr const char *kEnding = ".segment";
constexpr int kMostAttempts = 999999;
constexpr Spool::Ticket kMostTickets = Spool::Ticket{1} << 63;

// Digits only: the place in the queue and how often it was tried.
std::string name_of(Spool::Ticket ticket, int attempts) {
  char name[64];
  std::snprintf(name, sizeof name, "%020llu-%06d%s", static_cast<unsigned long long>(ticket), attempts,
                kEnding);
  return name;
}

struct Named {
  Spool::Ticket ticket = 0;
  int attempts = 0;
};

// Nothing for any name that name_of() does not make.
std::optional<Named> parsed(const std::string &name) {
  Named named;
  const char *end = name.data() + name.size();
  const auto ticket = std::from_chars(name.data(), end, named.ticket);
  if (ticket.ec != std::errc{} || ticket.ptr == end) return std::nullopt;
  const auto attempts = std::from_chars(ticket.ptr + 1, end, named.attempts);
  const bool in_range = named.ticket > 0 && named.ticket < kMostTickets;
  if (attempts.ec != std::errc{} || !in_range || name != name_of(named.ticket, named.attempts))
    return std::nullopt;
  return named;
}

std::string described(const SpoolHeader &header) {
  return "segment " + std::to_string(header.id) + " of \"" + header.owner + "\"";
}

// Whether the file itself is spoilt or gone, and asking again would not help.
bool is_lost(const Status &status) {
  return status.kind() == StatusKind::corrupt || status.kind() == StatusKind::not_found;
}

SpoolOrder opposite(SpoolOrder order) {
  return order == SpoolOrder::oldest_first ? SpoolOrder::newest_first : SpoolOrder::oldest_first;
}

Status refused(std::string why) { return {StatusKind::invalid_argument, std::move(why)}; }

}  // namespace

Spool::WallClock Spool::wall_clock() {
  return [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
}

Spool::Spool(SpoolSettings settings, WallClock now, std::unique_ptr<SpoolFolder> folder)
    : settings_(std::move(settings)), now_(std::move(now)), folder_(std::move(folder)) {}
Spool::~Spool() = default;

// --- Opening
// ----------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Spool>> Spool::open(SpoolSettings settings, WallClock now) {
  if (settings.max_entries == 0 || settings.max_bytes == 0)
    return refused("a spool needs room for at least one entry and one byte");
  if (settings.max_age < Duration::zero()) return refused("a spool's max-age must not be negative");
  auto folder = SpoolFolder::open(settings.folder);
  if (!folder.ok()) return folder.status();
  std::unique_ptr<Spool> spool(new Spool(std::move(settings), std::move(now),
                                         std::make_unique<SpoolFolder>(std::move(folder).value())));
  if (auto restored = spool->restore(); !restored.ok()) return restored;
  return spool;
}

Status Spool::restore() {
  auto names = folder_->names();
  if (!names.ok()) return names.status();
  for (const auto &name : names.value()) {
    if (!parsed(name)) continue;  // not ours
    if (auto restored = restore(name); !restored.ok()) return restored;
  }
  return drop_what_is_too_much();  // the limits may have shrunk
}

Status Spool::restore(const std::string &name) {
  const auto named = *parsed(name);
  auto held = read_header(name);
  if (held.ok()) held.value().header.attempts = named.attempts;
  if (held.ok() && !held_.contains(named.ticket)) {
    statistics_.bytes += held.value().bytes;
    held_.emplace(named.ticket, std::move(held).value());
    statistics_.entries = held_.size();
    last_ticket_ = std::max(last_ticket_, named.ticket);
    return {};
  }
  if (!held.ok() && !is_lost(held.status())) return held.status();
  ++statistics_.damaged;
  return folder_->remove(name);
}

// Without its pictures and its sound, which take() looks at.
Result<Spool::Held> Spool::read_header(const std::string &name) const {
  const auto bytes = folder_->size_of(name);
  if (!bytes.ok()) return bytes.status();
  const auto prefix = folder_->read(name, 0, kSpoolPrefixBytes);
  if (!prefix.ok()) return prefix.status();
  const auto size = spool_front_size(prefix.value());
  if (!size.ok()) return size.status();
  const auto bytes_in_front = folder_->read(name, 0, size.value());
  if (!bytes_in_front.ok()) return bytes_in_front.status();
  auto front = read_spool_front(bytes_in_front.value());
  if (!front.ok()) return front.status();
  if (bytes.value() != size.value() + front.value().media_size)
    return Status(StatusKind::corrupt, "it is not as long as its header says");
  return Held{std::move(front.value().header), bytes.value(), false};
}

// --- In
// ---------------------------------------------------------------------------------------------------------

Result<Spool::Put> Spool::put(const SpoolEntry &segment) {
  SpoolHeader header = segment.header;
  if (std::max(header.owner.size(), header.question.size()) > kMostSpoolText)
    return refused("a question or an owner's name of more than " + std::to_string(kMostSpoolText) +
                   " bytes is too long to be kept for later");
  const auto media = spool_media(segment.media);
  header.content = sha256_of(media);
  header.attempts = 0;

  const std::lock_guard lock(mutex_);
  header.created = now_();
  const auto front = spool_front(header, media.size());
  const std::size_t bytes = front.size() + media.size();
  if (bytes > settings_.max_bytes)
    return Status(StatusKind::exhausted, described(header) + " needs " + std::to_string(bytes) +
                                             " bytes in the spool \"" + settings_.folder +
                                             "\", which may have " + std::to_string(settings_.max_bytes) +
                                             "; raise its max-bytes");
  if (auto dropped = drop_expired(); !dropped.ok()) return dropped;
  if (auto dropped = drop_what_is_too_much(); !dropped.ok()) return dropped;
  if (const auto *same = same_as(header)) {
    ++statistics_.same;
    return Put{false, *same, std::exchange(losses_, {})};
  }
  if (!could_make_room_for(bytes)) {
    ++statistics_.full;
    note_loss(header, SpoolLoss::Why::full, described(header) + " was not kept: the spool is full");
    return Put{false, std::nullopt, std::exchange(losses_, {})};
  }

  const Ticket ticket = last_ticket_ + 1;
  const std::array<std::span<const std::uint8_t>, 2> parts = {front, media};
  if (auto written = folder_->write(name_of(ticket, 0), parts); !written.ok()) return written;
  last_ticket_ = ticket;
  held_.emplace(ticket, Held{std::move(header), bytes, false});
  statistics_.bytes += bytes;
  statistics_.entries = held_.size();
  ++statistics_.stored;
  (void)drop_what_is_too_much();  // what cannot be removed now is tried again before the next one is written
  return Put{true, std::nullopt, std::exchange(losses_, {})};
}

const SpoolHeader *Spool::same_as(const SpoolHeader &header) const {
  for (const auto &[ticket, held] : held_) {
    const auto &other = held.header;
    const bool same_name = other.id == header.id && other.owner == header.owner;
    if (same_name || (other.content == header.content && other.question == header.question)) return &other;
  }
  return nullptr;
}

// --- Limits
// -----------------------------------------------------------------------------------------------------

bool Spool::room_for(std::size_t entries, std::size_t bytes) const {
  return entries <= settings_.max_entries && bytes <= settings_.max_bytes;
}

// Whether one of so many bytes would be kept: what is out stays, and with oldest_first what waits does, too.
bool Spool::could_make_room_for(std::size_t bytes) const {
  std::size_t entries = 1;
  for (const auto &[ticket, held] : held_) {
    if (!held.out && settings_.order == SpoolOrder::newest_first) continue;
    ++entries;
    bytes += held.bytes;
  }
  return room_for(entries, bytes);
}

std::optional<Spool::Ticket> Spool::first_waiting(SpoolOrder order) const {
  const auto waits = [](const auto &entry) { return !entry.second.out; };
  if (order == SpoolOrder::oldest_first) {
    const auto found = std::find_if(held_.begin(), held_.end(), waits);
    return found == held_.end() ? std::nullopt : std::optional(found->first);
  }
  const auto found = std::find_if(held_.rbegin(), held_.rend(), waits);
  return found == held_.rend() ? std::nullopt : std::optional(found->first);
}

Status Spool::drop_what_is_too_much() {
  while (!room_for(held_.size(), statistics_.bytes)) {
    const auto last = first_waiting(opposite(settings_.order));
    if (!last) return {};
    auto dropped = drop(*last, SpoolLoss::Why::full,
                        described(held_.at(*last).header) + " was dropped: the spool is full");
    if (!dropped.ok()) return dropped;
  }
  return {};
}

Status Spool::drop_expired() {
  if (settings_.max_age == Duration::zero()) return {};
  const auto now = now_();
  std::vector<Ticket> expired;
  for (const auto &[ticket, held] : held_) {
    const auto created = held.header.created;
    if (!held.out && created >= kClockWasSet && now - created > settings_.max_age) expired.push_back(ticket);
  }
  for (const Ticket ticket : expired) {
    const auto &header = held_.at(ticket).header;
    const auto hours = std::chrono::duration<double, std::ratio<3600>>(now - header.created).count();
    char age[32];
    std::snprintf(age, sizeof age, "%.1f", hours);
    auto dropped = drop(ticket, SpoolLoss::Why::expired,
                        described(header) + " was dropped: it waited " + age + " hours for the link");
    if (!dropped.ok()) return dropped;
  }
  return {};
}

Status Spool::drop(Ticket ticket, SpoolLoss::Why why, std::string sentence) {
  const auto &held = held_.at(ticket);
  if (auto removed = folder_->remove(name_of(ticket, held.header.attempts)); !removed.ok()) return removed;
  switch (why) {
    case SpoolLoss::Why::full: ++statistics_.full; break;
    case SpoolLoss::Why::expired: ++statistics_.expired; break;
    case SpoolLoss::Why::damaged: ++statistics_.damaged; break;
  }
  note_loss(held.header, why, std::move(sentence));
  forget(ticket);
  return {};
}

void Spool::note_loss(const SpoolHeader &header, SpoolLoss::Why why, std::string sentence) {
  losses_.push_back({header, why, std::move(sentence)});
}

void Spool::forget(Ticket ticket) {
  const auto found = held_.find(ticket);
  statistics_.bytes -= found->second.bytes;
  if (found->second.out) --statistics_.out;
  held_.erase(found);
  statistics_.entries = held_.size();
}

// --- Out
// --------------------------------------------------------------------------------------------------------

Result<Spool::Take> Spool::take() {
  const std::lock_guard lock(mutex_);
  if (auto dropped = drop_expired(); !dropped.ok()) return dropped;
  while (const auto next = first_waiting(settings_.order)) {
    auto media = read_media(*next);
    if (!media.ok()) return media.status();
    if (!media.value()) continue;  // damaged, and gone by now
    auto &held = held_.at(*next);
    // Counted before it is sent, so that a segment that kills whoever sends it is known by its attempts.
    const int attempts = std::min(held.header.attempts + 1, kMostAttempts);
    if (attempts != held.header.attempts) {
      auto renamed = folder_->rename(name_of(*next, held.header.attempts), name_of(*next, attempts));
      if (!renamed.ok()) return renamed;
    }
    held.header.attempts = attempts;
    held.out = true;
    ++statistics_.out;
    return Take{Taken{*next, {held.header, std::move(*std::move(media).value())}},
                std::exchange(losses_, {})};
  }
  return Take{std::nullopt, std::exchange(losses_, {})};
}

// Nothing when they are damaged; then the segment is dropped.
Result<std::optional<SegmentMedia>> Spool::read_media(Ticket ticket) {
  const auto &held = held_.at(ticket);
  const auto name = name_of(ticket, held.header.attempts);
  const auto read = [&]() -> Result<SegmentMedia> {
    const auto bytes = folder_->read(name, 0, held.bytes + 1);
    if (!bytes.ok()) return bytes.status();
    const std::span<const std::uint8_t> all(bytes.value());
    const auto size = spool_front_size(all.first(std::min(all.size(), kSpoolPrefixBytes)));
    if (!size.ok()) return size.status();
    if (size.value() > all.size()) return Status(StatusKind::corrupt, "it is shorter than it was");
    const auto front = read_spool_front(all.first(size.value()));
    if (!front.ok()) return front.status();
    return read_spool_media(all.subspan(size.value()), held.header.content);
  };
  auto media = read();
  if (media.ok()) return std::optional(std::move(media).value());
  if (!is_lost(media.status())) return media.status();
  auto dropped =
      drop(ticket, SpoolLoss::Why::damaged,
           described(held.header) + " was dropped: \"" + name + "\" is damaged, " + media.status().message());
  if (!dropped.ok()) return dropped;
  return std::optional<SegmentMedia>();
}

Result<Spool::Held *> Spool::out(Ticket ticket) {
  const auto found = held_.find(ticket);
  if (found == held_.end() || !found->second.out)
    return refused("no segment of the spool is out under the ticket " + std::to_string(ticket));
  return &found->second;
}

Status Spool::done(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  const auto held = out(ticket);
  if (!held.ok()) return held.status();
  if (auto removed = folder_->remove(name_of(ticket, held.value()->header.attempts)); !removed.ok())
    return removed;
  forget(ticket);
  ++statistics_.answered;
  return {};
}

Result<Spool::Held *> Spool::taken_back(Ticket ticket) {
  const auto held = out(ticket);
  if (!held.ok()) return held.status();
  held.value()->out = false;
  --statistics_.out;
  return held;
}

Status Spool::put_back(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  return taken_back(ticket).status();
}

Status Spool::not_asked(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  const auto held = taken_back(ticket);
  if (!held.ok()) return held.status();
  int &attempts = held.value()->header.attempts;
  auto renamed = folder_->rename(name_of(ticket, attempts), name_of(ticket, attempts - 1));
  if (renamed.ok()) --attempts;
  return renamed;
}

SpoolStatistics Spool::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace saccade
