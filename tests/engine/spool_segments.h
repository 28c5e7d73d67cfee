// Segments and folders for the tests of what waits on the disk.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "offload/spool/spool.h"

namespace saccade {

// A private folder that goes with its contents. In memory where the system has a place for that, for
// thousands of synced files take minutes on a slow disk.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    path_ = in_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    path_ = (path_ / "saccade-XXXXXX").string();
    std::string name = path_.string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::filesystem::path &path() const { return path_; }

  // Of the segments' files, in their order.
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> files;
    for (const auto &entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename() != "lock") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

 private:
  std::filesystem::path path_;
};

// Everything in it follows from its id.
inline SpoolEntry segment_of(std::uint64_t id, std::size_t picture_bytes = 60) {
  SpoolEntry segment;
  segment.header.owner = "../door \"1\"";
  segment.header.id = id;
  segment.header.question = "Who is there, for the " + std::to_string(id) + "th time?";
  segment.header.max_tokens = static_cast<int>(id % 100) + 1;
  segment.header.about = {StreamTime(id * 10), StreamTime(id * 10 + 9)};
  for (std::uint64_t image = 0; image < 1 + id % 3; ++image) {
    JpegBytes bytes(picture_bytes + image);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(id * 131 + image * 17 + i + i / 256);
    segment.media.images.push_back(std::move(bytes));
  }
  // Every other one was heard, too.
  if (id % 2 == 0) segment.media.sound.assign(9, static_cast<std::uint8_t>(id));
  return segment;
}

inline bool is_as_it_was_put(const SpoolEntry &taken) {
  const auto put = segment_of(taken.header.id, taken.media.images.empty() ? 0 : taken.media.images[0].size());
  const auto &header = taken.header;
  return header.owner == put.header.owner && header.question == put.header.question &&
         header.max_tokens == put.header.max_tokens && header.about.start == put.header.about.start &&
         header.about.end == put.header.about.end && taken.media.images == put.media.images &&
         taken.media.sound == put.media.sound;
}

inline std::unique_ptr<Spool> opened(SpoolSettings settings, Spool::WallClock clock = Spool::wall_clock()) {
  auto spool = Spool::open(std::move(settings), std::move(clock));
  EXPECT_TRUE(spool.ok()) << spool.status().message();
  return spool.ok() ? std::move(spool).value() : nullptr;
}

inline Spool::Put put(Spool &spool, const SpoolEntry &segment) {
  auto put = spool.put(segment);
  EXPECT_TRUE(put.ok()) << put.status().message();
  return put.ok() ? std::move(put).value() : Spool::Put{};
}

inline Spool::Take take(Spool &spool) {
  auto take = spool.take();
  EXPECT_TRUE(take.ok()) << take.status().message();
  return take.ok() ? std::move(take).value() : Spool::Take{};
}

// Ids in the order in which they are given out, until nothing waits; each is done with.
inline std::vector<std::uint64_t> drained(Spool &spool) {
  std::vector<std::uint64_t> ids;
  while (auto taken = take(spool).taken) {
    EXPECT_TRUE(is_as_it_was_put(taken->segment)) << taken->segment.header.id;
    ids.push_back(taken->segment.header.id);
    EXPECT_TRUE(spool.done(taken->ticket).ok());
  }
  return ids;
}

}  // namespace saccade
