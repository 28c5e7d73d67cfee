// Segments that wait for the link: their order, limits, and what is told of those that are lost.
#include "offload/spool/spool.h"

#include <sys/stat.h>

#include <set>
#include <thread>

#include "spool_segments.h"

namespace saccade {
namespace {

using std::chrono::hours;
using Ids = std::vector<std::uint64_t>;

Ids ids_of(const std::vector<SpoolLoss> &losses) {
  Ids ids;
  for (const auto &loss : losses) ids.push_back(loss.header.id);
  return ids;
}

SpoolSettings in(const TemporaryFolder &folder) { return {.folder = folder.path()}; }

// If this fails, a segment comes back from the disk as another one, or not at all.
TEST(Spool, GivesBackWhatWasPut) {
  const TemporaryFolder folder;
  const auto spool = opened(in(folder));
  EXPECT_FALSE(take(*spool).taken);
  const auto before = Spool::wall_clock()();
  for (std::uint64_t id = 1; id <= 5; ++id) EXPECT_TRUE(put(*spool, segment_of(id, 100000)).stored);
  const auto taken = take(*spool).taken;
  ASSERT_TRUE(taken);
  EXPECT_TRUE(is_as_it_was_put(taken->segment));
  EXPECT_EQ(taken->segment.header.attempts, 1);
  EXPECT_GE(taken->segment.header.created, before);
  EXPECT_TRUE(spool->done(taken->ticket).ok());
  EXPECT_EQ(drained(*spool), (Ids{2, 3, 4, 5}));
  EXPECT_TRUE(folder.files().empty());
  const auto statistics = spool->statistics();
  EXPECT_EQ(statistics.entries, 0U);
  EXPECT_EQ(statistics.bytes, 0U);
  EXPECT_EQ(statistics.stored, 5U);
  EXPECT_EQ(statistics.answered, 5U);
}

// If this fails, what was heard is lost over a restart, or the same picture with another sound is not asked
// about.
TEST(Spool, KeepsTheSound) {
  const TemporaryFolder folder;
  auto heard = segment_of(1);
  heard.media.sound.assign(100'000, 42);
  auto sound_alone = heard;
  sound_alone.header.id = 2;
  sound_alone.media.images.clear();
  auto silent = heard;
  silent.header.id = 3;
  silent.media.sound.clear();
  {
    const auto spool = opened(in(folder));
    for (const auto &segment : {heard, sound_alone, silent}) EXPECT_TRUE(put(*spool, segment).stored);
  }
  const auto spool = opened(in(folder));
  for (const auto &segment : {heard, sound_alone, silent}) {
    const auto taken = take(*spool).taken;
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->segment.media.images, segment.media.images);
    EXPECT_EQ(taken->segment.media.sound, segment.media.sound);
  }
}

// If this fails, "what happened just now" is answered after an hour's backlog.
TEST(Spool, NewestFirstWhenAsked) {
  const TemporaryFolder folder;
  auto settings = in(folder);
  settings.order = SpoolOrder::newest_first;
  const auto spool = opened(settings);
  for (std::uint64_t id = 1; id <= 4; ++id) put(*spool, segment_of(id));
  EXPECT_EQ(drained(*spool), (Ids{4, 3, 2, 1}));
}

// If this fails, a segment that could not be sent is lost, or is sent twice at the same time.
TEST(Spool, WhatWasNotAnsweredWaitsAgainAtItsPlace) {
  const TemporaryFolder folder;
  const auto spool = opened(in(folder));
  put(*spool, segment_of(1));
  put(*spool, segment_of(2));
  const auto first = take(*spool).taken;
  const auto second = take(*spool).taken;
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->segment.header.id, 2U);
  EXPECT_FALSE(take(*spool).taken) << "both are out";
  EXPECT_EQ(spool->statistics().out, 2U);
  EXPECT_TRUE(spool->put_back(first->ticket).ok());
  const auto again = take(*spool).taken;
  ASSERT_TRUE(again);
  EXPECT_EQ(again->segment.header.id, 1U);
  EXPECT_EQ(again->segment.header.attempts, 2);
  EXPECT_TRUE(spool->done(second->ticket).ok());
  EXPECT_EQ(spool->done(second->ticket).kind(), StatusKind::invalid_argument) << "it is gone";
  EXPECT_EQ(spool->put_back(77).kind(), StatusKind::invalid_argument);
  EXPECT_EQ(spool->statistics().out, 1U);
}

// If this fails, a segment is given up for attempts in which nothing of it left, or two of them share a file.
TEST(Spool, WhatWasNotAskedWaitsAgainAndDoesNotCount) {
  const TemporaryFolder folder;
  {
    const auto spool = opened(in(folder));
    put(*spool, segment_of(1));
    for (int time = 0; time < 3; ++time) {
      const auto taken = take(*spool).taken;
      ASSERT_TRUE(taken);
      EXPECT_EQ(taken->segment.header.attempts, 1);
      EXPECT_TRUE(spool->not_asked(taken->ticket).ok());
      EXPECT_EQ(spool->not_asked(taken->ticket).kind(), StatusKind::invalid_argument) << "it waits already";
    }
    EXPECT_EQ(spool->statistics().out, 0U);
  }
  const auto spool = opened(in(folder));
  const auto taken = take(*spool).taken;
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->segment.header.attempts, 1);
}

// If this fails, a restart forgets segments, their order or how often they were tried.
TEST(Spool, OpeningTheFolderRestoresEverything) {
  const TemporaryFolder folder;
  WallTime created;
  {
    const auto spool = opened(in(folder));
    for (std::uint64_t id = 1; id <= 12; ++id) put(*spool, segment_of(id));
    for (int i = 0; i < 3; ++i) {
      const auto taken = take(*spool).taken;
      ASSERT_TRUE(taken);
      created = taken->segment.header.created;
      EXPECT_TRUE((i == 2 ? spool->done(taken->ticket) : spool->put_back(taken->ticket)).ok());
    }
  }
  const auto spool = opened(in(folder));
  EXPECT_EQ(spool->statistics().entries, 11U);
  EXPECT_EQ(spool->statistics().out, 0U);
  put(*spool, segment_of(13));
  const auto first = take(*spool).taken;
  ASSERT_TRUE(first);
  EXPECT_EQ(first->segment.header.id, 2U) << "1 was done with at its third attempt";
  EXPECT_EQ(first->segment.header.attempts, 1);
  EXPECT_GE(first->segment.header.created, created);
  EXPECT_EQ(drained(*spool), (Ids{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}));
}

// If this fails, a picture costs its upload twice.
TEST(Spool, KeepsNothingTwice) {
  const TemporaryFolder folder;
  auto spool = opened(in(folder));
  put(*spool, segment_of(1));
  auto same_name = segment_of(2);
  same_name.header.id = 1;
  auto same_content = segment_of(1);
  same_content.header.id = 3;
  auto other_question = segment_of(1);
  other_question.header.id = 4;
  other_question.header.question = "Where?";
  auto other_owner = segment_of(5);
  other_owner.header.id = 1;
  other_owner.header.owner = "window";
  for (const bool restarted : {false, true}) {
    if (restarted) spool.reset();
    if (restarted) spool = opened(in(folder));
    for (const auto &segment : {same_name, same_content}) {
      const auto kept = put(*spool, segment);
      EXPECT_FALSE(kept.stored);
      ASSERT_TRUE(kept.same_as);
      EXPECT_EQ(kept.same_as->id, 1U);
    }
    for (const auto &segment : {other_question, other_owner})
      EXPECT_EQ(put(*spool, segment).stored, !restarted) << segment.header.owner;
  }
  EXPECT_EQ(spool->statistics().entries, 3U);
  EXPECT_EQ(spool->statistics().same, 4U);
}

// If this fails, the disk fills up, or what was dropped is not the segment that would be answered last.
TEST(Spool, WhenItIsFullTheOneThatWouldBeAnsweredLastGoes) {
  for (const auto order : {SpoolOrder::oldest_first, SpoolOrder::newest_first}) {
    const TemporaryFolder folder;
    auto settings = in(folder);
    settings.order = order;
    settings.max_entries = 3;
    const auto spool = opened(settings);
    for (std::uint64_t id = 1; id <= 3; ++id) put(*spool, segment_of(id));
    const auto kept = put(*spool, segment_of(4));
    const bool oldest_first = order == SpoolOrder::oldest_first;
    EXPECT_EQ(kept.stored, !oldest_first);
    EXPECT_EQ(ids_of(kept.lost), (oldest_first ? Ids{4} : Ids{1}));
    ASSERT_EQ(kept.lost.size(), 1U);
    EXPECT_EQ(kept.lost[0].why, SpoolLoss::Why::full);
    EXPECT_FALSE(kept.lost[0].header.question.empty());
    EXPECT_FALSE(kept.lost[0].sentence.empty());
    EXPECT_EQ(drained(*spool), (oldest_first ? Ids{1, 2, 3} : Ids{4, 3, 2}));
  }
}

// If this fails, the limit in bytes is one of entries only, or what is being sent is dropped under way.
TEST(Spool, IsBoundedInBytesAndKeepsWhatIsOut) {
  const TemporaryFolder folder;
  auto settings = in(folder);
  settings.order = SpoolOrder::newest_first;
  settings.max_bytes = 100000;
  const auto spool = opened(settings);
  put(*spool, segment_of(3, 40000));
  const auto out = take(*spool).taken;
  ASSERT_TRUE(out);
  put(*spool, segment_of(6, 20000));
  put(*spool, segment_of(9, 20000));
  EXPECT_EQ(ids_of(put(*spool, segment_of(12, 50000)).lost), (Ids{6, 9})) << "both must go for its sake";
  const auto too_much = put(*spool, segment_of(15, 70000));
  EXPECT_FALSE(too_much.stored);
  EXPECT_EQ(ids_of(too_much.lost), (Ids{15})) << "not the one that is out";
  EXPECT_LE(spool->statistics().bytes, settings.max_bytes);
  EXPECT_TRUE(spool->done(out->ticket).ok());
  const auto larger_than_all = spool->put(segment_of(18, 100000));
  EXPECT_EQ(larger_than_all.status().kind(), StatusKind::exhausted);
  EXPECT_NE(larger_than_all.status().message().find("max-bytes"), std::string::npos);
  EXPECT_EQ(drained(*spool), (Ids{12}));
}

// If this fails, smaller limits after a restart hold for new segments only.
TEST(Spool, HoldsItsLimitsFromTheStart) {
  const TemporaryFolder folder;
  {
    const auto spool = opened(in(folder));
    for (std::uint64_t id = 1; id <= 5; ++id) put(*spool, segment_of(id));
  }
  auto settings = in(folder);
  settings.max_entries = 2;
  const auto spool = opened(settings);
  EXPECT_EQ(folder.files().size(), 2U);
  EXPECT_EQ(ids_of(take(*spool).lost), (Ids{5, 4, 3})) << "told with the first answer after opening";
}

// If this fails, ten thousand segments of a night without a link take more than their share of the disk.
TEST(Spool, HoldsItsLimitsThroughTenThousandSegments) {
  const TemporaryFolder folder;
  auto settings = in(folder);
  settings.order = SpoolOrder::newest_first;
  settings.max_entries = 50;
  settings.max_bytes = 20000;
  const auto spool = opened(settings);
  std::set<std::uint64_t> lost;
  for (std::uint64_t id = 1; id <= 10000; ++id) {
    const auto kept = put(*spool, segment_of(id, 100 + id % 900));
    ASSERT_TRUE(kept.stored);
    for (const auto &loss : kept.lost) ASSERT_TRUE(lost.insert(loss.header.id).second) << "told twice";
    const auto statistics = spool->statistics();
    ASSERT_LE(statistics.entries, settings.max_entries);
    ASSERT_LE(statistics.bytes, settings.max_bytes);
    if (id % 1000 != 0) continue;
    std::size_t on_disk = 0;
    for (const auto &file : folder.files()) on_disk += std::filesystem::file_size(file);
    EXPECT_EQ(on_disk, statistics.bytes);
  }
  EXPECT_EQ(lost.size() + drained(*spool).size(), 10000U) << "each is answered or told of";
}

// If this fails, yesterday's question is answered today, or today's is thrown away.
TEST(Spool, WhatIsTooOldExpires) {
  const TemporaryFolder folder;
  WallTime now{hours(24 * 365 * 55)};  // 2024
  auto settings = in(folder);
  settings.max_age = hours(2);
  auto spool = opened(settings, [&] { return now; });
  put(*spool, segment_of(1));
  now += hours(1);
  put(*spool, segment_of(2));
  now += hours(1);
  EXPECT_TRUE(take(*spool).lost.empty()) << "just not too old; and 1 is out now";
  now += hours(1) + std::chrono::nanoseconds(1);
  EXPECT_EQ(ids_of(put(*spool, segment_of(3)).lost), (Ids{2})) << "what is out does not expire";
  EXPECT_EQ(spool->statistics().expired, 1U);
  spool.reset();
  now += hours(2);
  spool = opened(settings, [&] { return now; });
  const auto later = take(*spool);
  EXPECT_EQ(ids_of(later.lost), (Ids{1})) << "it was put four hours ago";
  ASSERT_EQ(later.lost.size(), 1U);
  EXPECT_EQ(later.lost[0].why, SpoolLoss::Why::expired);
  ASSERT_TRUE(later.taken);
  EXPECT_EQ(later.taken->segment.header.id, 3U);
}

// If this fails, a board that learns the time from the network throws away all that it kept before.
TEST(Spool, WhatWasPutBeforeTheClockWasSetStays) {
  const TemporaryFolder folder;
  WallTime now{hours(1)};  // 1970
  const auto spool = opened(in(folder), [&] { return now; });
  put(*spool, segment_of(1));
  now += hours(24 * 365 * 55);
  put(*spool, segment_of(2));
  now -= hours(24 * 30);  // set back
  EXPECT_EQ(drained(*spool), (Ids{1, 2}));
}

// If this fails, other users of the machine see pictures of people.
TEST(Spool, IsPrivate) {
  const TemporaryFolder folder;
  const auto inner = folder.path() / "spool";
  const mode_t mask = ::umask(0);
  const auto spool = opened({.folder = inner});
  put(*spool, segment_of(1));
  ::umask(mask);
  struct stat about {};
  ASSERT_EQ(::stat(inner.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0700U);
  for (const auto &file : std::filesystem::directory_iterator(inner)) {
    ASSERT_EQ(::stat(file.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600U) << file.path();
  }
  const auto open_to_all = folder.path() / "open";
  ASSERT_EQ(::mkdir(open_to_all.c_str(), 0755), 0);
  const auto refused = Spool::open({.folder = open_to_all});
  EXPECT_EQ(refused.status().kind(), StatusKind::invalid_argument);
  EXPECT_NE(refused.status().message().find("chmod 700"), std::string::npos) << refused.status().message();
}

// If this fails, a name from the network decides where a file is written.
TEST(Spool, NamesOfOwnersDoNotReachTheFolder) {
  const TemporaryFolder folder;
  const auto inner = folder.path() / "spool";
  const auto spool = opened({.folder = inner});
  std::uint64_t id = 0;
  for (const std::string owner : {"../../up", "/etc/passwd", "a\0b", "", ".", "lock", "new.part"}) {
    auto segment = segment_of(++id);
    segment.header.owner = owner;
    EXPECT_TRUE(put(*spool, segment).stored);
  }
  std::size_t above = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path())) ++above;
  EXPECT_EQ(above, 1U);
  for (const auto &file : std::filesystem::directory_iterator(inner)) {
    const auto name = file.path().filename().string();
    EXPECT_TRUE(name == "lock" || name.find_first_not_of("0123456789-") == name.find(".segment")) << name;
  }
}

// If this fails, settings or segments that make no sense are found out about far later.
TEST(Spool, RefusesWhatMakesNoSense) {
  const TemporaryFolder folder;
  for (auto change :
       {+[](SpoolSettings &s) { s.max_entries = 0; }, +[](SpoolSettings &s) { s.max_bytes = 0; },
        +[](SpoolSettings &s) { s.max_age = hours(-1); }}) {
    auto settings = in(folder);
    change(settings);
    EXPECT_EQ(Spool::open(settings).status().kind(), StatusKind::invalid_argument);
  }
  EXPECT_EQ(Spool::open({.folder = folder.path() / "not" / "there"}).status().kind(), StatusKind::not_found);
  EXPECT_FALSE(Spool::open({.folder = "/dev/null"}).ok());
  EXPECT_FALSE(Spool::open({}).ok());
  const auto spool = opened(in(folder));
  auto endless = segment_of(1);
  endless.header.question.assign(100000, 'w');
  EXPECT_EQ(spool->put(endless).status().kind(), StatusKind::invalid_argument);
}

// If this fails, threads that put and take get in each other's way: a segment is lost or given out twice.
TEST(Spool, ServesSeveralThreads) {
  const TemporaryFolder folder;
  const auto spool = opened(in(folder));
  std::mutex mutex;
  std::multiset<std::uint64_t> answered;
  std::atomic<int> left = 400;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) put(*spool, segment_of(static_cast<std::uint64_t>(t * 100 + i + 1)));
      });
      threads.emplace_back([&] {
        while (left > 0) {
          const auto taken = take(*spool).taken;
          if (!taken) {
            std::this_thread::yield();
            continue;
          }
          if (taken->segment.header.attempts == 1 && taken->segment.header.id % 3 == 0) {
            EXPECT_TRUE(spool->put_back(taken->ticket).ok());
            continue;
          }
          EXPECT_TRUE(spool->done(taken->ticket).ok());
          --left;
          const std::lock_guard lock(mutex);
          answered.insert(taken->segment.header.id);
        }
      });
    }
  }
  EXPECT_EQ(answered.size(), 400U);
  EXPECT_EQ(std::set(answered.begin(), answered.end()).size(), 400U);
  EXPECT_EQ(spool->statistics().entries, 0U);
}

}  // namespace
}  // namespace saccade
