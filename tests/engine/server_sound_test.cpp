// A server whose model hears.
#include <cmath>
#include <filesystem>

#include "server_testing.h"

namespace saccade {
namespace {

ModelFiles pair_that_hears() {
  const char *folder = std::getenv("SACCADE_TINY_PAIRS");
  const auto stem = std::string(folder ? folder : "tiny-pairs") + "/tiny-qwen2.5-omni-3b";
  return {stem + "-text.gguf", stem + "-mmproj.gguf", 1};
}

std::string little(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// 16 bits, one channel, 16 kHz.
std::string tone(double seconds, double hertz) {
  std::string data;
  for (int i = 0; i < seconds * 16'000; ++i) {
    const auto sample = static_cast<std::int16_t>(10'000 * std::sin(i * hertz * 6.283 / 16'000));
    data += little(static_cast<std::uint16_t>(sample), 2);
  }
  std::string file = "RIFF";
  file += little(static_cast<std::uint32_t>(36 + data.size()), 4);
  file += "WAVEfmt ";
  file += little(16, 4) + little(1, 2) + little(1, 2) + little(16'000, 4) + little(32'000, 4) + little(2, 2) +
          little(16, 2);
  file += "data";
  file += little(static_cast<std::uint32_t>(data.size()), 4);
  return file + data;
}

using ServerSoundTest = ServerTest;

// If this fails, a sound is not read, is read as another one, or is encoded again each time.
TEST_F(ServerSoundTest, SoundsAreHeard) {
  auto hearing = options();
  hearing.files = pair_that_hears();
  if (!std::filesystem::exists(hearing.files.mmproj)) GTEST_SKIP() << hearing.files.mmproj << " is not there";
  hearing.desk.reading.encoder = EncoderKind::libmtmd;
  start(hearing);
  const auto about_sound = [](const std::string &sound) {
    std::string body = R"({"max_tokens":4,"logprobs":true,"messages":[{"role":"user","content":[)";
    body += R"({"type":"input_audio","input_audio":{"format":"wav","data":")" + base64(sound) + "\"}},";
    return body + text_part("what is it?") + "]}]}";
  };
  const auto log_probability = [](const Json &json) {
    return json.number({"choices", "0", "logprobs", "content", "0", "logprob"});
  };
  const auto low = answer(about_sound(tone(1, 200)));
  const auto again = answer(about_sound(tone(1, 200)));
  EXPECT_NEAR(log_probability(low), log_probability(again), 1e-3);
  EXPECT_EQ(metric("saccade_server_pictures_encoded_total"), 1);
  EXPECT_NE(log_probability(low), log_probability(answer(about_sound(tone(1, 3'000)))));
  const auto longer = answer(about_sound(tone(2, 200)));
  EXPECT_EQ(longer.number({"usage", "prompt_tokens"}), low.number({"usage", "prompt_tokens"}) + 25);
  const auto broken = post(about_sound("RIFF"));
  EXPECT_EQ(broken.status, 400);
  EXPECT_TRUE(broken.has("WAV")) << broken.body;
}

}  // namespace
}  // namespace saccade
