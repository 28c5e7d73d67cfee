// localmllm and the sound that a gate hands on: whether it goes to the cloud behind the offload pad, and with
// what.
#include <gtest/gtest.h>

#include <string>

#include "localmllm_cloud.h"

namespace saccade::gst {
namespace {

// What the gate found in a picture and heard with it.
struct Found {
  double complexity = 0.1;  // of the picture
  double mas_video = 0.1;   // 0 = needed, 1 = not
  double mas_audio = 0.1;   // likewise; the sound's complexity is what is left to 1
};

SoundClip whistle(double seconds = 0.5) {
  SoundClip clip{16'000, std::chrono::seconds(1), {}};
  clip.samples.resize(static_cast<std::size_t>(seconds * clip.rate));
  for (std::size_t i = 0; i < clip.samples.size(); ++i)
    clip.samples[i] = static_cast<std::int16_t>(i % 1'000);
  return clip;
}

BufferPtr with_sound(BufferPtr buffer, const Found &found, const SoundClip &clip) {
  MasReport report;
  report.frame = 1;
  report.grid = {6, 6};
  report.needed = true;
  report.sound_active = true;
  report.complexity = found.complexity;
  report.mas_video = found.mas_video;
  report.mas_audio = found.mas_audio;
  set_mas(buffer.get(), report);
  if (clip.rate > 0) set_audio(buffer.get(), clip);
  return buffer;
}

// What a cloud sees of one picture that comes with this sound.
Cloud::Seen seen_of(const std::string &settings, const Found &found, const SoundClip &clip) {
  Mind mind(settings, false, nullptr);
  Cloud cloud(mind, saying("a whistle"));
  mind.begin();
  mind.push(with_sound(picture(1), found, clip));
  mind.finish();
  return cloud.seen();
}

// If this fails, the cloud does not hear what was heard, or hears it although nobody allowed that.
TEST(LocalMllmCloudSound, TravelsWhereItMay) {
  const auto clip = whistle();
  const auto heard = seen_of("route-policy=cloud,offload-sound=true", {}, clip);
  ASSERT_TRUE(heard.segment);
  EXPECT_TRUE(heard.segment->shown);
  EXPECT_EQ(heard.first_byte, 150);
  EXPECT_EQ(heard.sound.rate, clip.rate);
  EXPECT_EQ(heard.sound.start, clip.start);
  EXPECT_EQ(heard.sound.samples, clip.samples);

  for (const char *kept : {"route-policy=cloud", "route-policy=cloud,offload-sound=false"}) {
    const auto silent = seen_of(kept, {}, clip);
    ASSERT_TRUE(silent.segment) << kept;
    EXPECT_EQ(silent.sound.rate, 0) << kept;
  }
  EXPECT_EQ(seen_of("route-policy=cloud,offload-sound=true", {}, {}).sound.rate, 0);
}

// If this fails, a long window fills the queue to the model with sound that nobody will be sent.
TEST(LocalMllmCloudSound, IsBounded) {
  const auto heard = seen_of("route-policy=cloud,offload-sound=true", {}, whistle(31));
  EXPECT_EQ(heard.sound.samples.size(), 29U * 16'000);
  EXPECT_EQ(heard.sound.start, std::chrono::seconds(3));
}

// If this fails, MoA-Off's line for one modality sends the other one, too.
TEST(LocalMllmCloudSound, StaysWhereOnlyThePictureIsComplex) {
  const auto seen = seen_of("route-policy=threshold,offload-sound=true", {0.9, 0.1, 0.9}, whistle());
  ASSERT_TRUE(seen.segment);
  EXPECT_TRUE(seen.segment->shown);
  EXPECT_EQ(seen.first_byte, 150);
  EXPECT_EQ(seen.sound.rate, 0);
}

// If this fails, a picture leaves that was to stay, or a sound that the cloud should judge does not leave.
TEST(LocalMllmCloudSound, TravelsAloneWhereOnlyItIsComplex) {
  const auto seen = seen_of("route-policy=threshold,offload-sound=true", {0.1, 0.1, 0.1}, whistle());
  ASSERT_TRUE(seen.segment);
  EXPECT_FALSE(seen.segment->shown);
  EXPECT_EQ(seen.first_byte, 0) << "what is not to be sent does not stand on the pad";
  EXPECT_EQ(seen.sound.samples, whistle().samples);
}

// If this fails, an upload begun before the draft holds more or less than the call that it is for, and what
// it lacks cannot come any more.
TEST(LocalMllmCloudSound, AnUploadBeforeTheDraftHoldsWhatTheCallWould) {
  // As in localmllm_cloud_draft_test.cpp: a draft is made first, uploaded for meanwhile, and then found poor.
  const std::string settings =
      "prompt=\"describe the "
      "scene.\",route-policy=msao,error-weight=1000,cloud-error=0.002,offload-sound=true";
  const auto upload_of = [&](const Found &found) {
    Mind mind(settings, false, nullptr);
    Cloud cloud(mind, {.draft = [](Cloud &self, std::uint64_t id) { self.say(id, saying("a whistle")); }});
    mind.begin("video/x-raw,format=RGB,width=640,height=480,framerate=10/1");
    mind.push(with_sound(picture(1, 640 * 480 * 3), found, whistle(3)));
    mind.finish();
    const auto seen = cloud.seen();
    EXPECT_TRUE(seen.begin && seen.begin->draft_follows);
    EXPECT_EQ(seen.pictures, 1U);
    return seen;
  };
  const auto both = upload_of({0.1, 0, 0});
  EXPECT_TRUE(both.segment && both.segment->shown);
  EXPECT_EQ(both.sound.samples, whistle(3).samples);
  const auto picture_alone = upload_of({0.1, 0, 1});
  EXPECT_TRUE(picture_alone.segment && picture_alone.segment->shown);
  EXPECT_EQ(picture_alone.sound.rate, 0);
  const auto sound_alone = upload_of({0.1, 1, 0});
  EXPECT_TRUE(sound_alone.segment && !sound_alone.segment->shown);
  EXPECT_EQ(sound_alone.sound.samples, whistle(3).samples);
}

// If this fails, the router takes the sound's bytes for the picture's, or does not know what sound costs.
TEST(LocalMllmCloudSound, ItsBytesAreNotThePictures) {
  constexpr int kSound = (44 + 2 * 8'000) / 3 * 4;  // of the whistle's WAV file, in base64
  constexpr int kPicture = kBytes / 6;              // half a byte a pixel,
  constexpr int kBelieved = kBytes / 12;            // and half of that before any was sent
  const DecisionWatch watch;
  auto answer = saying("a whistle");
  answer.call_bytes_sent = kPicture + kSound;
  Mind mind("route-policy=cloud,offload-sound=true", false, nullptr);
  Cloud cloud(mind, answer);
  mind.begin();
  mind.push(with_sound(picture(1), {}, whistle()));
  for (int i = 0; i < 2; ++i) mind.message(GST_MESSAGE_ELEMENT);  // the draft and its correction
  mind.push(with_sound(picture(2), {}, whistle()));
  mind.finish();
  EXPECT_EQ(watch.number("video_bytes"), (kPicture + kBelieved) / 2);
  EXPECT_EQ(watch.number("audio_bytes"), kSound);
}

}  // namespace
}  // namespace saccade::gst
