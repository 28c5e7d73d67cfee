#include "faults/link_line.h"

#include <algorithm>
#include <cmath>

namespace saccade::faults {

namespace {

constexpr double kDripsPerSecond = 100;  // so that even a fast drip comes in many small units

}  // namespace

void Line::set_state(const LineState &state, TimePoint now) {
  state_ = state;
  free_ = std::max(free_, now);  // the unit on the wire begins anew: less than one unit's time is lost
  draw_next_flip();
}

void Line::enter(std::uint64_t connection, std::span<const std::uint8_t> bytes, TimePoint now) {
  if (bytes.empty()) return;
  if (statistics_.bytes_entered == 0) statistics_.first_entered = now;
  statistics_.bytes_entered += bytes.size();
  queue({connection, {bytes.begin(), bytes.end()}, 0, now, false});
}

void Line::enter_end(std::uint64_t connection, TimePoint now) { queue({connection, {}, 0, now, true}); }

void Line::queue(Waiting waiting) {
  queued_ += waiting.bytes.size();
  statistics_.longest_queue = std::max(statistics_.longest_queue, queued_);
  waiting_.push_back(std::move(waiting));
}

std::size_t Line::next_size() const {
  const auto &head = waiting_.front();
  const auto largest =
      state_.drip ? static_cast<std::size_t>(std::max(1.0, state_.rate / kDripsPerSecond)) : kSegmentBytes;
  return std::min(largest, head.bytes.size() - head.gone);
}

Duration Line::time_on_wire(std::size_t bytes) const {
  return state_.rate > 0 ? from_seconds(static_cast<double>(bytes) / state_.rate) : Duration::zero();
}

std::optional<TimePoint> Line::next_departure() const {
  if (waiting_.empty()) return std::nullopt;
  return std::max(free_, waiting_.front().entered) + time_on_wire(next_size());
}

std::optional<Line::Unit> Line::leave(TimePoint now) {
  const auto departure = next_departure();
  if (!departure || *departure > now) return std::nullopt;
  auto &head = waiting_.front();
  const std::size_t size = next_size();
  const auto bytes = std::span(head.bytes).subspan(head.gone, size);
  free_ = *departure;
  Unit unit{head.connection, {bytes.begin(), bytes.end()}, *departure + time_to_travel(), head.end};
  flip_bits(&unit.bytes);
  statistics_.busy += time_on_wire(size);
  statistics_.bytes_left += size;
  ++statistics_.units;
  statistics_.last_due = std::max(statistics_.last_due, unit.due);
  queued_ -= size;
  head.gone += size;
  if (head.gone == head.bytes.size()) waiting_.pop_front();
  return unit;
}

Duration Line::time_to_travel() {
  Duration time = state_.delay;
  if (state_.jitter > Duration::zero()) time += from_seconds(chance() * to_seconds(state_.jitter));
  if (state_.loss > 0 && chance() < state_.loss) {
    time += state_.stall;
    ++statistics_.units_held_back;
  }
  return time;
}

double Line::chance() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

// How far it is to the next bad byte is drawn at once (a geometric distribution), not byte by byte.
void Line::draw_next_flip() {
  bytes_to_flip_ = std::numeric_limits<std::uint64_t>::max();
  if (state_.corrupt <= 0) return;
  const double far = state_.corrupt >= 1 ? 0 : std::log1p(-chance()) / std::log1p(-state_.corrupt);
  if (far < 0x1p62) bytes_to_flip_ = static_cast<std::uint64_t>(far);
}

void Line::flip_bits(std::vector<std::uint8_t> *bytes) {
  std::uint64_t seen = 0;
  while (bytes_to_flip_ < bytes->size() - seen) {
    seen += bytes_to_flip_;
    (*bytes)[seen++] ^= static_cast<std::uint8_t>(1U << (random_() % 8));
    ++statistics_.bits_flipped;
    draw_next_flip();
  }
  if (bytes_to_flip_ != std::numeric_limits<std::uint64_t>::max()) bytes_to_flip_ -= bytes->size() - seen;
}

void Line::forget(std::uint64_t connection) {
  std::erase_if(waiting_, [&](const Waiting &waiting) {
    if (waiting.connection != connection) return false;
    queued_ -= waiting.bytes.size() - waiting.gone;
    return true;
  });
}

}  // namespace saccade::faults
