// The streaming encoder against libmtmd, and against itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "street_pictures.h"
#include "tokens_likeness.h"
#include "vision/tower/encode_queue.h"
#include "vision/vision_encoder.h"

namespace saccade {
namespace {

// A street in noise, so that no two patches are alike.
Image noisy_street(int width, int height, unsigned seed) {
  auto image = plain_street(width, height, true);
  std::mt19937 random(seed);
  for (auto &value : image.rgb) value = static_cast<std::uint8_t>(value + random() % 60);
  return image;
}

class StreamingEncoder : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = ModelPair::open(shipped_model());
    ASSERT_TRUE(pair.ok()) << pair.status().message();
    pair_ = pair.value();
  }

  std::unique_ptr<VisionEncoder> encoder(const EncoderOptions &options) const {
    auto encoder = make_encoder(pair_, options);
    EXPECT_TRUE(encoder.ok()) << encoder.status().message();
    return std::move(encoder).value();
  }

  static SharedTokens encode(VisionEncoder &encoder, const Image &image, const PatchMap &refresh = {},
                             StreamTime pts = {}) {
    auto tokens = encoder.encode(image.view(pts), refresh, {});
    EXPECT_TRUE(tokens.ok()) << tokens.status().message();
    return tokens.value();
  }

  static Image picture(const VisionEncoder &encoder, unsigned seed) {
    return noisy_street(encoder.input().width, encoder.input().height, seed);
  }

  // `base` with the patch's pixels of `other`.
  static Image with_patch(Image base, const Image &other, const VisionEncoder &encoder, int patch) {
    const auto grid = encoder.refresh_grid();
    const int side = base.width / grid.columns;
    for (int y = patch / grid.columns * side; y < (patch / grid.columns + 1) * side; ++y)
      for (int i = patch % grid.columns * side * 3; i < (patch % grid.columns + 1) * side * 3; ++i) {
        const auto at = static_cast<std::size_t>(y * base.width * 3 + i);
        base.rgb[at] = other.rgb[at];
      }
    return base;
  }

  static PatchMap only(const VisionEncoder &encoder, int patch) {
    PatchMap map(static_cast<std::size_t>(encoder.refresh_grid().count()));
    if (patch >= 0) map[static_cast<std::size_t>(patch)] = 255;
    return map;
  }

  std::shared_ptr<ModelPair> pair_;
};

// If it fails, the tower computes something else than the model that it read.
TEST_F(StreamingEncoder, EncodesAsLibmtmdDoes) {
  const auto plain = encoder({.kind = EncoderKind::libmtmd});
  const auto exact = encoder({.kind = EncoderKind::fp32});
  const auto bytes = encoder({.kind = EncoderKind::int8});
  EXPECT_TRUE(exact->fallback_reason().empty()) << exact->fallback_reason();
  EXPECT_TRUE(exact->description().starts_with("streaming encoder, fp32")) << exact->description();
  EXPECT_EQ(exact->description().find("ref"), std::string::npos) << exact->description();
  EXPECT_EQ(bytes->description().find("ref"), std::string::npos) << bytes->description();
  for (unsigned seed = 1; seed < 4; ++seed) {
    const auto image = picture(*plain, seed);
    const auto expected = encode(*plain, image);
    const auto found = encode(*exact, image);
    EXPECT_EQ(found->grid, expected->grid);
    EXPECT_EQ(found->positions.back().x, expected->positions.back().x);
    EXPECT_GT(worst_cosine(*found, *expected), 0.9999);
    EXPECT_GT(worst_cosine(*encode(*bytes, image), *expected), 0.995);
  }
}

// If it fails, a picture that changed in part is encoded as if it had not, or as if all of it had.
TEST_F(StreamingEncoder, EncodesWhatChanged) {
  for (const auto kind : {EncoderKind::fp32, EncoderKind::int8}) {
    const auto streaming = encoder({.kind = kind});
    const auto fresh = encoder({.kind = kind});
    const auto first = picture(*streaming, 1);
    const auto second = with_patch(first, picture(*streaming, 2), *streaming, 40);
    const auto before = encode(*streaming, first);
    const auto after = encode(*streaming, second, only(*streaming, 40));
    const auto whole = encode(*fresh, second);
    EXPECT_GT(worst_cosine(*after, *whole), 0.99);
    EXPECT_LT(worst_cosine(*before, *whole), worst_cosine(*after, *whole));
    EXPECT_NE(after->values, whole->values);  // what is kept was made in other surroundings
    const auto again = encode(*streaming, second);
    EXPECT_EQ(again->values, whole->values);  // and without a map everything is made anew
  }
}

// If it fails, something is encoded although nothing changed, or tokens change by themselves.
TEST_F(StreamingEncoder, NothingChangedIsTheSame) {
  const auto streaming = encoder({.kind = EncoderKind::fp32});
  const auto first = encode(*streaming, picture(*streaming, 1));
  EXPECT_EQ(encode(*streaming, picture(*streaming, 2), only(*streaming, -1))->values, first->values);
}

// If it fails, what drifts is never brought up to date.
TEST_F(StreamingEncoder, EncodesTheWholeNowAndThen) {
  using std::chrono::seconds;
  struct Case {
    EncoderOptions options;
    StreamTime at;
    bool whole;
  };
  const EncoderKind kind = EncoderKind::fp32;
  const Case cases[] = {
      {{kind, seconds(10), 0}, seconds(9), false},   {{kind, seconds(10), 0}, seconds(10), true},
      {{kind, seconds(0), 0}, seconds(9999), false}, {{kind, seconds(0), 0.01}, seconds(1), true},
      {{kind, seconds(0), 0.9}, seconds(1), false},  {{kind, seconds(10), 0}, seconds(-1), true}};
  for (const auto &[options, at, whole] : cases) {
    const auto streaming = encoder(options);
    const auto fresh = encoder({.kind = kind});
    const auto other = picture(*streaming, 2);
    encode(*streaming, picture(*streaming, 1));
    const auto found = encode(*streaming, other, only(*streaming, 40), at);
    EXPECT_EQ(found->values == encode(*fresh, other)->values, whole) << to_seconds(at);
  }
}

// If it fails, a map of another grid, or the first picture with a map, leaves patches of no picture at all.
TEST_F(StreamingEncoder, AMapThatSaysNothingMeansEverything) {
  const auto streaming = encoder({.kind = EncoderKind::fp32});
  const auto fresh = encoder({.kind = EncoderKind::fp32});
  const auto image = picture(*streaming, 1);
  const auto expected = encode(*fresh, image);
  EXPECT_EQ(encode(*streaming, image, only(*streaming, 3))->values, expected->values);
  encode(*streaming, picture(*streaming, 2));
  EXPECT_EQ(encode(*streaming, image, PatchMap(7, 0))->values, expected->values);
  encode(*streaming, picture(*streaming, 2));
  streaming->forget();
  EXPECT_EQ(encode(*streaming, image, only(*streaming, 3))->values, expected->values);
}

// If it fails, an encode that was stopped goes on, or leaves half of a picture behind.
TEST_F(StreamingEncoder, AStopIsHonouredAndLeavesNothingBehind) {
  const auto weights = tower::read_tower(pair_->files().mmproj, tower::Precision::fp32);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  tower::Tower tower(weights.value(), 1);
  tower::TowerMemory memory(*weights.value());
  const auto side = weights.value()->shape.image;
  const auto image = noisy_street(side, side, 1);
  ASSERT_TRUE(tower.encode(image.view(), {}, memory, {}).ok());
  const std::vector<float> expected(memory.tokens().begin(), memory.tokens().end());

  std::stop_source stop;
  stop.request_stop();
  const auto other = noisy_street(side, side, 2);
  EXPECT_EQ(tower.encode(other.view(), {}, memory, stop.get_token()).kind(), StatusKind::cancelled);
  EXPECT_FALSE(memory.is_whole());
  const PatchMap nothing(static_cast<std::size_t>(weights.value()->shape.patches()));
  ASSERT_TRUE(tower.encode(image.view(), nothing, memory, {}).ok());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), memory.tokens().begin()));

  const auto streaming = encoder({.kind = EncoderKind::fp32});
  EXPECT_EQ(streaming->encode(image.view(), {}, stop.get_token()).status().kind(), StatusKind::cancelled);
}

// If it fails, two cameras that share the weights see each other's pictures.
TEST_F(StreamingEncoder, CamerasShareWeightsAndNothingElse) {
  std::vector<std::unique_ptr<VisionEncoder>> cameras;
  for (int c = 0; c < 2; ++c) cameras.push_back(encoder({.kind = EncoderKind::fp32}));
  std::vector<std::jthread> threads;
  for (unsigned c = 0; c < 2; ++c) {
    threads.emplace_back([&cameras, c] {
      auto &camera = *cameras[c];
      const auto expected = encode(camera, picture(camera, c));
      for (int i = 0; i < 10; ++i) {
        encode(camera, picture(camera, c), only(camera, i));
        EXPECT_EQ(encode(camera, picture(camera, c))->values, expected->values);
      }
    });
  }
}

// If it fails, pictures that share a product are not what they are by themselves, or one that is stopped
// takes another with it.
TEST_F(StreamingEncoder, TogetherIsAsAlone) {
  struct Camera {
    Image image;
    PatchMap map;
    tower::TowerMemory memory, other_memory;
  };
  constexpr std::size_t kStopped = 1;
  for (const auto precision : {tower::Precision::fp32, tower::Precision::int8}) {
    const auto weights = tower::read_tower(pair_->files().mmproj, precision);
    ASSERT_TRUE(weights.ok()) << weights.status().message();
    const auto &shape = weights.value()->shape;
    tower::Tower tower(weights.value(), 2);
    std::vector<Camera> cameras;
    for (const int changed : {20, 30, 1, 0, shape.patches()}) {
      const auto seed = static_cast<unsigned>(cameras.size());
      Camera camera{noisy_street(shape.image, shape.image, seed),
                    {},
                    tower::TowerMemory(*weights.value()),
                    tower::TowerMemory(*weights.value())};
      camera.map.resize(static_cast<std::size_t>(shape.patches()));
      std::fill_n(camera.map.begin() + (shape.patches() - changed) / 2, changed, 255);
      const auto before = noisy_street(shape.image, shape.image, 99);
      for (auto *memory : {&camera.memory, &camera.other_memory})
        ASSERT_TRUE(tower.encode(before.view(), {}, *memory, {}).ok());
      cameras.push_back(std::move(camera));
    }

    std::stop_source stop;
    stop.request_stop();
    std::vector<tower::EncodeJob> jobs;
    std::vector<tower::EncodeJob *> batch;
    std::vector<std::future<Status>> done;
    jobs.reserve(cameras.size());  // they are pointed to
    for (auto &camera : cameras) {
      const auto token = jobs.size() == kStopped ? stop.get_token() : std::stop_token();
      jobs.push_back({camera.image.view(), camera.map, camera.memory, 0, token, {}});
      batch.push_back(&jobs.back());
      done.push_back(jobs.back().done.get_future());
    }
    tower.encode(batch);
    for (std::size_t i = 0; i < cameras.size(); ++i) {
      auto &[image, map, memory, alone] = cameras[i];
      const auto status = done[i].get();
      ASSERT_TRUE(tower.encode(image.view(), map, alone, {}).ok());
      if (i == kStopped) {
        EXPECT_EQ(status.kind(), StatusKind::cancelled);
        EXPECT_FALSE(memory.is_whole());
      } else {
        EXPECT_TRUE(std::ranges::equal(memory.tokens(), alone.tokens())) << "camera " << i;
      }
    }
  }
}

// If it fails, merging inside does nothing, loses patches, or is more than an approximation; or what changed
// after it cannot be encoded in part.
TEST_F(StreamingEncoder, MergesPatchesThatLookAlike) {
  const auto plain = encoder({.kind = EncoderKind::fp32});
  const auto merging = encoder({.kind = EncoderKind::fp32, .whole_after = 0, .merge_inside = 0.4});
  const auto [width, height] = plain->input();
  const auto street = plain_street(width, height, true);
  const auto expected = encode(*plain, street);
  const auto merged = encode(*merging, street);
  EXPECT_NE(merged->values, expected->values);
  EXPECT_EQ(merged->count(), expected->count());
  EXPECT_GT(worst_cosine(*merged, *expected), 0.9);

  const auto night = plain_street(width, height, false);
  const auto all_but_one = [&] {
    PatchMap map(static_cast<std::size_t>(plain->refresh_grid().count()), 255);
    map.front() = 0;
    return map;
  };
  const auto after = encode(*merging, night, all_but_one());
  EXPECT_GT(worst_cosine(*after, *encode(*plain, night)), 0.9);
}

// If it fails, a camera whose pipeline stops waits for another camera's picture, or that one is lost.
TEST_F(StreamingEncoder, AWaitingPictureCanBeStopped) {
  const auto weights = tower::read_tower(pair_->files().mmproj, tower::Precision::fp32);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  const auto side = weights.value()->shape.image;
  const auto image = noisy_street(side, side, 1);
  const PatchMap all;
  tower::EncodeQueue queue(weights.value(), 1, 2);
  constexpr int kCameras = 6;
  std::vector<tower::TowerMemory> memories(kCameras, tower::TowerMemory(*weights.value()));
  std::atomic<int> encoded = 0;
  std::atomic<int> stopped = 0;
  {
    std::vector<std::jthread> cameras;
    cameras.reserve(memories.size());
    for (auto &memory : memories)
      cameras.emplace_back([&](const std::stop_token &stop) {
        while (true) {
          tower::EncodeJob job{image.view(), all, memory, 0, stop, {}};
          const auto status = queue.encode(job);
          ++(status.ok() ? encoded : stopped);
          if (!status.ok()) return;
        }
      });
    while (encoded < 2 * kCameras) std::this_thread::yield();
  }
  EXPECT_EQ(stopped, kCameras);
}

// If it fails, sharing rows among threads changes what is computed.
TEST_F(StreamingEncoder, ThreadsDoNotChangeTheTokens) {
  const auto weights = tower::read_tower(pair_->files().mmproj, tower::Precision::int8);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  const auto image = noisy_street(weights.value()->shape.image, weights.value()->shape.image, 1);
  std::vector<float> alone;
  for (const int threads : {1, 3}) {
    tower::Tower tower(weights.value(), threads);
    tower::TowerMemory memory(*weights.value());
    ASSERT_TRUE(tower.encode(image.view(), {}, memory, {}).ok());
    ASSERT_TRUE(memory.is_whole());
    if (threads == 1) alone.assign(memory.tokens().begin(), memory.tokens().end());
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), memory.tokens().begin()));
  }
}

}  // namespace
}  // namespace saccade
