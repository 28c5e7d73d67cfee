// The arithmetic of an emulated line and of its schedules, on times that no clock gave.
#include "faults/link_line.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "faults/link_schedule.h"

namespace saccade::faults {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{};
constexpr TimePoint kLater = kStart + seconds(1000);

std::vector<std::uint8_t> counting(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  return bytes;
}

Line line_of(const LineState &state, std::uint64_t seed = 1) {
  Line line(seed);
  line.set_state(state, kStart);
  return line;
}

std::vector<Line::Unit> all_until(Line *line, TimePoint now) {
  std::vector<Line::Unit> units;
  while (auto unit = line->leave(now)) units.push_back(std::move(*unit));
  return units;
}

std::vector<std::uint8_t> joined(const std::vector<Line::Unit> &units) {
  std::vector<std::uint8_t> bytes;
  for (const auto &unit : units) bytes.insert(bytes.end(), unit.bytes.begin(), unit.bytes.end());
  return bytes;
}

// If this fails, the line is faster or slower than it was told to be, or loses bytes.
TEST(Line, TakesItsTimeForEachUnitAndThenTravels) {
  auto line = line_of({.delay = milliseconds(40), .rate = 1448});
  line.enter(7, counting(1448 * 2 + 724), kStart);
  line.enter_end(7, kStart);
  EXPECT_FALSE(line.leave(kStart + milliseconds(999)));
  EXPECT_EQ(line.next_departure(), kStart + seconds(1));
  const auto first = line.leave(kStart + seconds(1));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->connection, 7U);
  EXPECT_EQ(first->bytes.size(), kSegmentBytes);
  EXPECT_EQ(first->due, kStart + seconds(1) + milliseconds(40));
  auto rest = all_until(&line, kLater);
  ASSERT_EQ(rest.size(), 3U);
  EXPECT_EQ(rest[0].due, kStart + seconds(2) + milliseconds(40));
  EXPECT_EQ(rest[1].due, kStart + milliseconds(2540));
  EXPECT_TRUE(rest[2].end);
  EXPECT_EQ(rest[2].due, rest[1].due);
  rest.insert(rest.begin(), *first);
  EXPECT_EQ(joined(rest), counting(1448 * 2 + 724));
  EXPECT_EQ(line.statistics().busy, milliseconds(2500));
  EXPECT_EQ(line.queued(), 0U);
}

// If this fails, two connections over one line get twice what it carries.
TEST(Line, IsSharedByAllConnections) {
  auto line = line_of({.rate = 1448});
  line.enter(1, counting(1448), kStart);
  line.enter(2, counting(1448), kStart);
  line.enter(1, counting(1448), kStart + seconds(5));
  const auto units = all_until(&line, kLater);
  ASSERT_EQ(units.size(), 3U);
  EXPECT_EQ(units[0].due, kStart + seconds(1));
  EXPECT_EQ(units[1].due, kStart + seconds(2));
  EXPECT_EQ(units[2].due, kStart + seconds(6)) << "an idle line saves nothing up";
}

// If this fails, jitter or stalls are of another size or number than they were told to be.
TEST(Line, JitterAndStallsStayWithinWhatWasSaid) {
  constexpr std::size_t kUnits = 20000;
  auto line =
      line_of({.delay = milliseconds(10), .jitter = milliseconds(4), .loss = 0.1, .stall = seconds(1)});
  line.enter(1, std::vector<std::uint8_t>(kUnits * kSegmentBytes), kStart);
  std::size_t held_back = 0;
  Duration jitter{};
  for (const auto &unit : all_until(&line, kStart)) {
    auto on_way = unit.due - kStart;
    if (on_way >= seconds(1)) {
      ++held_back;
      on_way -= seconds(1);
    }
    ASSERT_GE(on_way, milliseconds(10));
    ASSERT_LE(on_way, milliseconds(14));
    jitter += on_way - milliseconds(10);
  }
  EXPECT_EQ(line.statistics().units_held_back, held_back);
  const double deviation = std::sqrt(kUnits * 0.1 * 0.9);
  EXPECT_NEAR(static_cast<double>(held_back), kUnits * 0.1, 5 * deviation);
  EXPECT_NEAR(to_milliseconds(jitter) / kUnits, 2, 0.05);
}

// If this fails, bits flip where none should, or their count is not what the line says.
TEST(Line, FlipsOneBitOfTheShareOfBytesThatWasSaid) {
  constexpr std::size_t kBytes = 1000000;
  for (const double share : {0.0, 0.001, 0.2, 1.0}) {
    auto line = line_of({.corrupt = share});
    const auto sent = counting(kBytes);
    line.enter(1, sent, kStart);
    const auto received = joined(all_until(&line, kStart));
    ASSERT_EQ(received.size(), kBytes);
    std::size_t spoilt = 0;
    for (std::size_t i = 0; i < kBytes; ++i) {
      const int bits = std::popcount(static_cast<unsigned>(sent[i] ^ received[i]));
      ASSERT_LE(bits, 1);
      spoilt += static_cast<std::size_t>(bits);
    }
    EXPECT_EQ(line.statistics().bits_flipped, spoilt);
    const double expected = kBytes * share;
    EXPECT_NEAR(static_cast<double>(spoilt), expected, 5 * std::sqrt(expected * (1 - share))) << share;
  }
}

// If this fails, a drip comes in gulps.
TEST(Line, DripsInSmallUnits) {
  auto line = line_of({.rate = 200, .drip = true});
  line.enter(1, counting(100), kStart);
  const auto units = all_until(&line, kLater);
  ASSERT_EQ(units.size(), 50U);
  EXPECT_EQ(units[0].bytes.size(), 2U);
  EXPECT_EQ(units[49].due, kStart + milliseconds(500));
  EXPECT_EQ(joined(units), counting(100));
}

// If this fails, what waited before a slow line still waits when the line has become fast.
TEST(Line, WhatWaitsGoesOnAsTheNewStateSays) {
  auto line = line_of({.rate = 1});
  line.enter(1, counting(1448), kStart);
  EXPECT_TRUE(all_until(&line, kStart + seconds(10)).empty());
  line.set_state({.rate = 14480}, kStart + seconds(10));
  const auto units = all_until(&line, kLater);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].due, kStart + seconds(10) + milliseconds(100));
}

// If this fails, bytes of a dead connection still take up the line.
TEST(Line, ForgetsADeadConnection) {
  auto line = line_of({.rate = 1448});
  line.enter(1, counting(3000), kStart);
  line.enter(2, counting(100), kStart);
  EXPECT_TRUE(line.leave(kStart + seconds(1)));
  line.forget(1);
  EXPECT_EQ(line.queued(), 100U);
  const auto units = all_until(&line, kLater);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].connection, 2U);
}

// If this fails, the same test gives another outcome each time it runs.
TEST(Line, SameSeedSameTimes) {
  const auto times = [](std::uint64_t seed) {
    auto line = line_of({.jitter = milliseconds(9), .loss = 0.5}, seed);
    line.enter(1, counting(100000), kStart);
    std::vector<TimePoint> due;
    for (const auto &unit : all_until(&line, kStart)) due.push_back(unit.due);
    return due;
  };
  EXPECT_EQ(times(3), times(3));
  EXPECT_NE(times(3), times(4));
}

// If this fails, a schedule's file means something else than its words say.
TEST(LinkSchedule, ReadsStatesByTime) {
  LinkState base;
  base.up.delay = base.down.delay = milliseconds(5);
  const auto read = parse_schedule(
      "# an hour\n"
      "0    delay=10ms rate=25MB/s jitter=250us\n"
      "\n"
      "600  cut\n"
      "660  down.rate=8Mbit/s up.loss=0.01 up.stall=1s  # a bad way up\n"
      "720  drip=50B/s corrupt=0.001\n"
      "780  hang\n"
      "3600 repeat\n",
      base, 60);
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto &schedule = read.value();
  ASSERT_EQ(schedule.steps.size(), 5U);
  EXPECT_EQ(schedule.repeat_after, seconds(60));
  const auto first = schedule.at(seconds(0));
  EXPECT_EQ(first.state.up.delay, milliseconds(10));
  EXPECT_EQ(first.state.down.jitter, std::chrono::microseconds(250));
  EXPECT_DOUBLE_EQ(first.state.up.rate, 25e6);
  EXPECT_EQ(first.lasts, seconds(10));
  EXPECT_EQ(schedule.at(seconds(10)).state.door, LinkState::Door::cut);
  EXPECT_EQ(schedule.at(seconds(10)).state.up.delay, milliseconds(5))
      << "of the base, not of the line before";
  const auto third = schedule.at(milliseconds(11500));
  EXPECT_DOUBLE_EQ(third.state.down.rate, 1e6);
  EXPECT_DOUBLE_EQ(third.state.up.rate, 0);
  EXPECT_DOUBLE_EQ(third.state.up.loss, 0.01);
  EXPECT_DOUBLE_EQ(third.state.down.loss, 0);
  EXPECT_EQ(third.state.up.stall, seconds(1));
  EXPECT_EQ(third.lasts, milliseconds(500));
  EXPECT_TRUE(schedule.at(seconds(12)).state.up.drip);
  EXPECT_EQ(schedule.at(seconds(14)).state.door, LinkState::Door::hang);
  EXPECT_EQ(schedule.at(seconds(59)).lasts, seconds(1)) << "then it begins anew";
  EXPECT_EQ(schedule.at(seconds(60 * 7 + 10)).state.door, LinkState::Door::cut);
}

// If this fails, a schedule that ends leaves the link in a state that it does not name.
TEST(LinkSchedule, StaysInItsLastState) {
  const auto read = parse_schedule("0 cut\n5 open", {});
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto place = read.value().at(seconds(100));
  EXPECT_EQ(place.state.door, LinkState::Door::open);
  EXPECT_FALSE(place.lasts);
}

// If this fails, a slip of the pen runs as a perfect link.
TEST(LinkSchedule, NamesWhatItCannotRead) {
  for (const char *text :
       {"", "# nothing", "1 cut", "0 cut\n0 hang", "x cut", "0 speed=3", "0 rate=25", "0 rate=25MB",
        "0 loss=1.5", "0 delay=-3ms", "0 rate=0.5B/s", "0 drip=0", "0 sideways.rate=1MB/s", "0 rate",
        "0 repeat", "0 cut\n5 repeat\n6 cut", "0 delay=nanms", "1e300 cut"}) {
    const auto read = parse_schedule(text, {});
    EXPECT_FALSE(read.ok()) << text;
    EXPECT_NE(read.status().message().find("line "), std::string::npos) << text;
  }
  EXPECT_FALSE(parse_schedule("0 cut", {}, 0).ok());
}

}  // namespace
}  // namespace saccade::faults
