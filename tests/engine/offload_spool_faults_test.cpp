// What waits on the disk, through killed processes, damaged files, full and foreign disks.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "base/file_descriptor.h"
#include "offload/spool/spool.h"
#include "spool_segments.h"

namespace saccade {
namespace {

using Ids = std::vector<std::uint64_t>;

SpoolSettings in(const TemporaryFolder &folder) { return {.folder = folder.path()}; }

constexpr int kCannotTry = 77;  // exit code of a child that lacks the rights for its experiment

// Runs in a process of its own; what it returns is its exit code, -1 when a signal ended it.
int in_a_child(const std::function<int()> &run) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<char> contents_of(const std::filesystem::path &file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void overwrite(const std::filesystem::path &file, const std::vector<char> &bytes) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Puts and finishes segments for ever, and says through `to` which: put 7 as 7, done with 7 as -7.
[[noreturn]] void work_until_killed(const std::string &folder, std::uint64_t first, int to) {
  const auto say = [&](std::int64_t id) {
    if (::write(to, &id, sizeof id) != sizeof id) ::_exit(1);
  };
  auto spool = Spool::open({.folder = folder});
  if (!spool.ok()) ::_exit(2);
  for (std::uint64_t id = first;; ++id) {
    const auto put = spool.value()->put(segment_of(id, 20000));
    if (!put.ok() || !put.value().stored) ::_exit(3);
    say(static_cast<std::int64_t>(id));
    if (id % 3 != 0) continue;
    const auto take = spool.value()->take();
    if (!take.ok() || !take.value().taken) ::_exit(4);
    if (!spool.value()->done(take.value().taken->ticket).ok()) ::_exit(5);
    say(-static_cast<std::int64_t>(take.value().taken->segment.header.id));
  }
}

// If this fails, a power cut loses a segment that the spool had taken, or leaves half of one behind.
TEST(SpoolFaults, AKilledProcessLosesNothingThatWasTaken) {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  std::set<std::uint64_t> waiting;  // as the killed processes said
  std::uint64_t next = 1;
  for (int round = 0; round < 40; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      work_until_killed(folder.path(), next, ends[1]);
    }
    FileDescriptor from(ends[0]);
    ::close(ends[1]);
    std::int64_t said = 0;
    const auto hear = [&] {
      if (::read(from.get(), &said, sizeof said) != sizeof said) return false;
      said > 0 ? (void)waiting.insert(static_cast<std::uint64_t>(said))
               : (void)waiting.erase(static_cast<std::uint64_t>(-said));
      next = std::max(next, static_cast<std::uint64_t>(std::abs(said)) + 1);
      return true;
    };
    const auto reports = 1 + random() % 12;
    for (std::size_t i = 0; i < reports; ++i) ASSERT_TRUE(hear()) << "the child failed by itself";
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, exit code " << WEXITSTATUS(status);
    while (hear()) {
    }
    ++next;  // one more may have been put and not said

    const auto spool = opened(in(folder));
    ASSERT_TRUE(spool);
    EXPECT_EQ(spool->statistics().damaged, 0U) << "a half file was left under its final name";
    std::vector<Spool::Ticket> out;
    std::set<std::uint64_t> found;
    while (const auto taken = take(*spool).taken) {
      EXPECT_TRUE(is_as_it_was_put(taken->segment));
      EXPECT_TRUE(found.insert(taken->segment.header.id).second) << "stored twice";
      next = std::max(next, taken->segment.header.id + 1);
      out.push_back(taken->ticket);
    }
    for (const auto id : waiting)
      EXPECT_TRUE(found.contains(id) || id == *waiting.begin()) << id << " was taken and is lost";
    // The oldest may have been done with, and the newest put, without its being said.
    EXPECT_LE(found.size(), waiting.size() + 1);
    EXPECT_GE(found.size() + 1, waiting.size());
    EXPECT_EQ(folder.files().size(), found.size()) << "something else lies there";
    waiting = found;
    for (const auto ticket : out) EXPECT_TRUE(spool->put_back(ticket).ok());
  }
}

// If this fails, a process that ends inside of a file leaves that file for a whole one. The system kills the
// process at a byte of our choice: the one from which on its files may not grow.
TEST(SpoolFaults, AProcessThatDiesAtAnyByteLeavesNoHalfFile) {
  const TemporaryFolder folder;
  std::size_t size = 0;
  {
    const auto spool = opened(in(folder));
    put(*spool, segment_of(6, 600));
    size = spool->statistics().bytes;
    EXPECT_EQ(drained(*spool), (Ids{6}));
    put(*spool, segment_of(3, 10));
  }
  for (std::size_t byte = 0; byte < size; byte += 7) {
    const int code = in_a_child([&] {
      const rlimit no_core{0, 0};
      const rlimit limit{byte, RLIM_INFINITY};
      auto spool = Spool::open(in(folder));
      if (!spool.ok() || ::setrlimit(RLIMIT_CORE, &no_core) != 0) return 1;
      ::signal(SIGXFSZ, SIG_DFL);
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
      return spool.value()->put(segment_of(6, 600)).ok() ? 3 : 4;
    });
    ASSERT_EQ(code, -1) << "the child outlived byte " << byte;
    const auto spool = opened(in(folder));
    ASSERT_TRUE(spool);
    ASSERT_EQ(spool->statistics().damaged, 0U) << "a half file was left under its final name, byte " << byte;
    ASSERT_EQ(spool->statistics().entries, 1U);
    ASSERT_EQ(folder.files().size(), 1U) << "what was begun still lies there, byte " << byte;
  }
}

// If this fails, a file that was cut off anywhere is answered, or stops the others from being answered.
TEST(SpoolFaults, ATornFileIsFoundAndCounted) {
  const TemporaryFolder folder;
  {
    const auto spool = opened(in(folder));
    put(*spool, segment_of(1, 40));
  }
  const auto file = folder.files().at(0);
  const auto whole = contents_of(file);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    overwrite(file, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    const auto spool = opened(in(folder));
    ASSERT_TRUE(spool);
    EXPECT_EQ(spool->statistics().damaged, 1U) << size;
    EXPECT_EQ(spool->statistics().entries, 0U) << size;
    EXPECT_FALSE(take(*spool).taken) << size;
    EXPECT_TRUE(folder.files().empty()) << size;
  }
  auto longer = whole;
  longer.push_back(0);
  overwrite(file, longer);
  EXPECT_EQ(opened(in(folder))->statistics().damaged, 1U);
  overwrite(file, whole);
  EXPECT_EQ(drained(*opened(in(folder))), (Ids{1})) << "the untouched one is fine";
}

// If this fails, a flipped bit reaches the cloud as a question or a picture.
TEST(SpoolFaults, AFlippedBitIsFoundAndCounted) {
  const TemporaryFolder folder;
  {
    const auto spool = opened(in(folder));
    put(*spool, segment_of(1, 40));
    put(*spool, segment_of(2, 40));
  }
  const auto files = folder.files();
  const auto whole = contents_of(files.at(0));
  const auto other = contents_of(files.at(1));
  std::size_t told = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    overwrite(files[0], flipped);
    overwrite(files[1], other);
    const auto spool = opened(in(folder));
    ASSERT_TRUE(spool);
    const auto next = take(*spool);
    ASSERT_TRUE(next.taken) << bit;
    EXPECT_EQ(next.taken->segment.header.id, 2U) << bit;
    EXPECT_EQ(spool->statistics().damaged, 1U) << bit;
    told += next.lost.size();
    for (const auto &loss : next.lost) {
      EXPECT_EQ(loss.why, SpoolLoss::Why::damaged);
      EXPECT_EQ(loss.header.id, 1U);
    }
    EXPECT_TRUE(spool->done(next.taken->ticket).ok());
  }
  EXPECT_EQ(told, 8 * 2 * 40U + 8 * (4 + 2 * 8 + 1))
      << "with a header that can be read, it is told whose it was";
}

// If this fails, a file that vanishes under way stops the queue.
TEST(SpoolFaults, AFileThatVanishedIsTold) {
  const TemporaryFolder folder;
  const auto spool = opened(in(folder));
  put(*spool, segment_of(1));
  put(*spool, segment_of(2));
  std::filesystem::remove(folder.files().at(0));
  const auto next = take(*spool);
  ASSERT_TRUE(next.taken);
  EXPECT_EQ(next.taken->segment.header.id, 2U);
  ASSERT_EQ(next.lost.size(), 1U);
  EXPECT_EQ(next.lost[0].header.id, 1U);
  EXPECT_EQ(next.lost[0].why, SpoolLoss::Why::damaged);
}

// If this fails, files of others in the folder are removed or answered.
TEST(SpoolFaults, ForeignFilesAreLeftAlone) {
  const TemporaryFolder folder;
  const auto written = [&](const char *name) { return folder.path() / name; };
  for (const char *name : {"notes.txt", "1-0.segment", "00000000000000000001-0000000.segment",
                           "99999999999999999999-000000.segment", "18446744073709551615-000000.segment"})
    overwrite(written(name), {'x'});
  overwrite(written("new.part"), {'x'});  // ours, of a process that was killed
  std::filesystem::create_symlink("/etc/passwd", written("00000000000000000007-000000.segment"));
  std::filesystem::create_directory(written("00000000000000000008.part"));
  const auto spool = opened(in(folder));
  EXPECT_EQ(spool->statistics().entries, 0U);
  EXPECT_EQ(spool->statistics().damaged, 1U) << "the link";
  EXPECT_EQ(folder.files().size(), 6U);
  EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
  EXPECT_TRUE(put(*spool, segment_of(1)).stored);
}

// If this fails, two processes answer the same segment, or remove each other's.
TEST(SpoolFaults, ASecondProcessIsRefused) {
  const TemporaryFolder folder;
  auto spool = opened(in(folder));
  const auto is_refused = [&] {
    const auto second = Spool::open(in(folder));
    const bool says_why = second.status().message().find("another process") != std::string::npos;
    return second.status().kind() == StatusKind::unavailable && says_why ? 0 : 1;
  };
  EXPECT_EQ(is_refused(), 0);
  EXPECT_EQ(in_a_child(is_refused), 0);
  spool.reset();
  EXPECT_TRUE(Spool::open(in(folder)).ok());
}

// What a put() on a full disk must do: say so, leave nothing, and work again when there is room.
int put_until_full(Spool &spool, const TemporaryFolder &folder) {
  std::uint64_t id = 0;
  for (;;) {
    const auto put = spool.put(segment_of(++id, 50000));
    if (put.ok() && id < 1000) continue;
    if (put.ok() || put.status().kind() != StatusKind::exhausted) return 1;
    if (put.status().message().find("make room") == std::string::npos) return 2;
    break;
  }
  if (spool.statistics().entries != id - 1 || folder.files().size() != id - 1) return 3;
  const auto oldest = spool.take();
  if (!oldest.ok() || !oldest.value().taken || !is_as_it_was_put(oldest.value().taken->segment)) return 4;
  if (!spool.done(oldest.value().taken->ticket).ok()) return 5;
  const auto next = spool.take();
  if (!next.ok() || !next.value().taken || !spool.done(next.value().taken->ticket).ok()) return 6;
  return spool.put(segment_of(id, 50000)).ok() ? 0 : 7;
}

// If this fails, a full disk leaves half a segment, or the spool does not recover from it. The disk is a file
// system of one megabyte of the child's own, for which it needs no rights where users may make namespaces.
TEST(SpoolFaults, AFullDiskIsSaidAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const int code = in_a_child([&] {
    const uid_t user = ::geteuid();
    if (::unshare(CLONE_NEWNS | (user == 0 ? 0 : CLONE_NEWUSER)) != 0) return kCannotTry;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kCannotTry;
    if (::mount("none", folder.path().c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) return kCannotTry;
    auto spool = Spool::open(in(folder));
    return spool.ok() ? put_until_full(*spool.value(), folder) : 8;
  });
  if (code == kCannotTry) GTEST_SKIP() << "this system lets nobody mount a small disk of its own";
  EXPECT_EQ(code, 0);
}

// If this fails, the same on systems where no disk can be made full: no file may grow beyond a limit here, so
// that the system refuses in the middle of one.
TEST(SpoolFaults, AWriteThatFailsInItsMiddleLeavesNothingBehind) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      in_a_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{30000, RLIM_INFINITY};
        auto spool = Spool::open(in(folder));
        if (!spool.ok() || !spool.value()->put(segment_of(3, 100)).ok()) return 1;
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
        const auto refused = spool.value()->put(segment_of(6, 60000));
        if (refused.status().kind() != StatusKind::exhausted) return 3;
        if (folder.files().size() != 1 || spool.value()->statistics().entries != 1) return 4;
        const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_FSIZE, &none) != 0) return 5;
        return spool.value()->put(segment_of(6, 60000)).ok() && drained(*spool.value()) == Ids{3, 6} ? 0 : 6;
      }),
      0);
}

// If this fails, a folder that cannot be written is found out about with the first lost segment, or stops the
// process. In a child without the rights of root, who may write everywhere.
TEST(SpoolFaults, AnUnwritableFolderIsSaid) {
  const TemporaryFolder folder;
  constexpr uid_t kNobody = 65534;
  const int code = in_a_child([&] {
    auto spool = Spool::open(in(folder));
    if (!spool.ok()) return 1;
    if (::geteuid() == 0) {
      if (::chown(folder.path().c_str(), kNobody, kNobody) != 0 || ::seteuid(kNobody) != 0) return kCannotTry;
    }
    // Nobody may not even get there where the root of the file system is root's alone.
    if (::chmod(folder.path().c_str(), 0500) != 0) return errno == EACCES ? kCannotTry : 2;
    const auto refused = spool.value()->put(segment_of(1));
    if (refused.status().kind() != StatusKind::unavailable) return 3;
    if (refused.status().message().find(folder.path().string()) == std::string::npos) return 4;
    if (spool.value()->statistics().entries != 0) return 5;
    std::error_code ignored;
    spool.value().reset();
    if (::chmod(folder.path().c_str(), 0700) != 0 || ::unlink((folder.path() / "lock").c_str()) != 0)
      return 6;
    if (::chmod(folder.path().c_str(), 0500) != 0) return 7;
    const auto unopened = Spool::open(in(folder));
    return unopened.status().kind() == StatusKind::unavailable ? 0 : 8;
  });
  if (code == kCannotTry) GTEST_SKIP() << "root cannot become another user who gets to the folder here";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace saccade
