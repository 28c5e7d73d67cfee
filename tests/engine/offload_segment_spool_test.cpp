// The queue of segments that wait on the disk, by itself: what it does with a folder that fails.
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "faults/fault_server.h"
#include "offload/spool/segment_spool.h"
#include "spool_segments.h"

namespace saccade {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

// A client and a queue that wait for one server; says what the queue has told.
class Queue {
 public:
  explicit Queue(const FaultServer &server) {
    CloudSettings settings;
    settings.endpoint = server.url();
    settings.retries = 0;
    settings.max_in_flight = 1;
    auto client = CloudClient::create(settings);
    EXPECT_TRUE(client.ok()) << client.status().message();
    client_ = std::move(client).value();
    auto spool = SegmentSpool::open(
        {.folder = folder_.path()}, "m", *client_,
        {.kept = [](const SegmentSpool::Waiting &) {},
         .ended = [this](const SpooledSegment &segment, CloudOutcome,
                         bool) { note([&] { ended_.push_back(segment.id); }); },
         .left =
             [this](const SpooledSegment &, const SegmentMedia &, const CloudOutcome &) {
               if (on_left) on_left();
             },
         .trouble = [this](const Status &why) { note([&] { troubles_.push_back(why.message()); }); },
         .room = [] {}});
    EXPECT_TRUE(spool.ok()) << spool.status().message();
    spool_ = std::move(spool).value();
  }
  ~Queue() {
    client_->stop();
    spool_->stop();
  }

  SegmentSpool &spool() { return *spool_; }
  void keep(std::uint64_t id) {
    EXPECT_TRUE(spool_->keep({{"door", id, "Who is there?", {}}, {{{0xFF, 0xD8, 0xFF, 0xD9}}}, 8, {}}));
  }
  std::filesystem::path file() const {
    for (const auto &entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".segment") return entry.path();
    }
    return {};
  }
  // A folder of that name, which is not empty: no file can take its place, nor can it be removed as one.
  void obstruct(const std::filesystem::path &name) const {
    std::filesystem::create_directory(name);
    std::ofstream(name / "x") << "x";
  }

  std::vector<std::string> wait_for_trouble() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !troubles_.empty(); });
    return troubles_;
  }
  std::vector<std::uint64_t> wait_for_ended() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ended_.empty(); });
    return ended_;
  }
  std::vector<std::uint64_t> ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

  // On the queue's thread: a segment was sent, whatever came of it. Set before keep().
  std::function<void()> on_left;

 private:
  void note(const std::function<void()> &what) {
    const std::lock_guard lock(mutex_);
    what();
    changed_.notify_all();
  }

  const TemporaryFolder folder_;
  std::unique_ptr<CloudClient> client_;
  std::unique_ptr<SegmentSpool> spool_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::uint64_t> ended_;
  std::vector<std::string> troubles_;
};

// Breaks when a folder that fails is counted as segments that nobody has, and told of as theirs.
TEST(SegmentSpool, AFolderThatFailsCostsNoAnswer) {
  const FaultServer server({Behaviour::reply(503, ""), Behaviour::reply(200, completion("Nobody."))});
  Queue queue(server);
  std::filesystem::path in_the_way;
  queue.on_left = [&] {
    if (!in_the_way.empty()) return;
    auto name = queue.file().string();
    in_the_way = name.replace(name.rfind("-000001"), 7, "-000002");
    queue.obstruct(in_the_way);
  };
  queue.keep(7);
  queue.spool().link_is(true);
  const auto troubles = queue.wait_for_trouble();
  EXPECT_NE(troubles[0].find("-000001.segment"), std::string::npos) << troubles[0];
  EXPECT_TRUE(queue.ended().empty());
  std::filesystem::remove_all(in_the_way);
  EXPECT_EQ(queue.wait_for_ended(), std::vector<std::uint64_t>{7}) << "it waited for the folder";
}

// Breaks when a file that cannot be removed, and will be asked again, is passed over in silence.
TEST(SegmentSpool, AFileThatStaysIsToldOf) {
  const FaultServer server({Behaviour::reply(200, completion("Nobody."))});
  Queue queue(server);
  queue.on_left = [&] {
    const auto name = queue.file();
    std::filesystem::remove(name);
    queue.obstruct(name);
  };
  queue.keep(7);
  queue.spool().link_is(true);
  const auto troubles = queue.wait_for_trouble();
  EXPECT_NE(troubles[0].find("asked again at the next start"), std::string::npos) << troubles[0];
  EXPECT_EQ(queue.wait_for_ended(), std::vector<std::uint64_t>{7}) << "it was answered all the same";
}

}  // namespace
}  // namespace saccade
