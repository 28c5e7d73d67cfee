// Several sessions on one model: one cache, one thread, and nobody's words are anybody else's.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "shipped_pair.h"

namespace saccade {
namespace {

constexpr const char *kQuestion = "is it day or night?";

class SessionsTest : public ShippedPair {
 protected:
  static Answer ask(Session &session, const std::vector<EncodedImage> &images,
                    const char *question = kQuestion) {
    auto answer = session.ask(question, images, {});
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? std::move(answer).value() : Answer();
  }
  static const char *name(bool day) { return day ? "day" : "night"; }
};

// If this fails, a camera is answered with what another one saw.
TEST_F(SessionsTest, SideBySideEachAnswersFromItsOwnPicture) {
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> cameras;
    for (int camera = 0; camera < 6; ++camera)
      cameras.emplace_back([&, camera] {
        const auto own = session();
        for (int i = 0; i < 10; ++i) {
          const bool day = (camera + i) % 2 == 0;
          right += ask(*own, {another(day)}).text == name(day);
        }
      });
  }
  EXPECT_EQ(right, 60);
}

// If this fails, pictures that different cameras show under the same words pass for one another in the cache.
TEST_F(SessionsTest, TheSameWordsAboutDifferentPicturesShareNothingButWords) {
  const auto by_day = session();
  const auto by_night = session();
  EXPECT_EQ(ask(*by_day, {picture(true)}).text, "day");
  EXPECT_EQ(ask(*by_night, {picture(false)}).text, "night");  // makes room for a second session
  const auto answer = ask(*by_day, {picture(true)});
  EXPECT_EQ(answer.text, "day");
  EXPECT_GE(answer.prompt_tokens_read, day_->count());
  EXPECT_LT(answer.prompt_tokens_read, answer.prompt_tokens);  // the opening was the other's
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(*by_day, {picture(true)}).text, "day");
    EXPECT_EQ(ask(*by_night, {picture(false)}).text, "night");
  }
}

// If this fails, what is in the cache already is read again, which is most of an answer's work.
TEST_F(SessionsTest, OnlyWhatIsNewIsRead) {
  for (const auto policy : {KvPolicy::reread, KvPolicy::slide}) {
    SessionOptions options;
    options.kv_policy = policy;
    const auto own = session(options);
    const int each = day_->count();
    std::vector<EncodedImage> window{another(true), another(true), another(true)};
    const auto first = ask(*own, window);
    EXPECT_EQ(first.prompt_tokens_read, first.prompt_tokens);
    EXPECT_LT(ask(*own, window, "is there a car?").prompt_tokens_read, each);
    window.push_back(another(true));
    const int appended = ask(*own, window).prompt_tokens_read;
    EXPECT_GE(appended, each);
    EXPECT_LT(appended, 2 * each);
    window.erase(window.begin());
    window.push_back(another(true));
    const int slid = ask(*own, window).prompt_tokens_read;
    if (policy == KvPolicy::slide)
      EXPECT_LT(slid, 2 * each);
    else
      EXPECT_GT(slid, 3 * each);
  }
}

// If this fails, what a partial encode left as it was is read again, or what it changed is not.
TEST_F(SessionsTest, OfAPictureThatChangesWhatIsBelowTheChangeIsRead) {
  const auto own = session();
  ask(*own, {picture(true)});
  const int all = ask(*own, {another(true)}).prompt_tokens_read;
  for (const int row : {30, 5, 0}) {
    SCOPED_TRACE("row " + std::to_string(row));
    auto changed = std::make_shared<TokenSet>(*day_);
    const auto width = changed->dimension;
    std::copy_n(night_->values.begin() + row * width, (day_->count() - row) * width,
                changed->values.begin() + row * width);
    const std::vector<EncodedImage> images{encoder_->overview(changed)};
    ask(*own, {picture(true)});
    const auto again = ask(*own, images);
    const auto fresh = ask(*session(), images);
    EXPECT_EQ(again.prompt_tokens_read, all - row);
    EXPECT_EQ(again.text, fresh.text);
    EXPECT_NEAR(again.token_log_probabilities.front(), fresh.token_log_probabilities.front(), 1e-3F);
  }
}

// If this fails, cameras of a small model wait for one core while others are idle.
TEST_F(SessionsTest, SmallModelsHaveACacheForEachCore) {
  auto files = shipped_model();
  files.threads = 0;
  const auto pair = ModelPair::open(files);
  ASSERT_TRUE(pair.ok()) << pair.status().message();
  EXPECT_EQ(pair_->side_by_side(), 1);  // one thread was asked for
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "this machine has one core";
  const auto first = Session::create(pair.value(), {});
  const auto second = Session::create(pair.value(), {});
  ASSERT_TRUE(first.ok() && second.ok());
  ask(*first.value(), {picture(true)});
  ask(*second.value(), {picture(false)});  // in one cache, it would have to grow, and forget
  EXPECT_LT(ask(*first.value(), {picture(true)}).prompt_tokens_read, day_->count());
}

// If this fails, a question that stands before the pictures is read again for every one of them, or not at
// all.
TEST_F(SessionsTest, AQuestionBeforeThePicturesIsReadOnce) {
  SessionOptions options;
  options.prompt_position = PromptPosition::before;
  const auto before = session(options);
  const auto after = session();
  for (int i = 0; i < 2; ++i) {
    ask(*before, {another(true)});
    ask(*after, {another(true)});
  }
  EXPECT_LT(ask(*before, {another(true)}).prompt_tokens_read,
            ask(*after, {another(true)}).prompt_tokens_read);
  EXPECT_NE(ask(*before, {picture(true)}, "how many people are there?").text,
            ask(*before, {picture(true)}).text);
}

// If this fails, the answer that was given last is written word for word again, or changes the next one.
TEST_F(SessionsTest, AGuessSavesStepsAndChangesNothing) {
  SessionOptions options;
  const auto plain = session(options);
  options.guesses = 8;
  const auto guessing = session(options);
  constexpr const char *kDescribe = "describe the scene.";
  const auto first = ask(*guessing, {picture(true)}, kDescribe);
  const auto again = ask(*guessing, {another(true)}, kDescribe);
  ASSERT_GT(first.token_log_probabilities.size(), 3U) << first.text;
  EXPECT_EQ(first.tokens_guessed, 0);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.tokens_guessed_right, again.tokens_guessed);
  // All but one of each evaluation's tokens.
  EXPECT_GE(again.tokens_guessed * 10, static_cast<int>(first.token_log_probabilities.size()) * 8);
  EXPECT_EQ(ask(*guessing, {another(false)}, kDescribe).text, ask(*plain, {another(false)}, kDescribe).text);
}

// If this fails, more sessions than there is room for block each other, or one of them forgets for good.
TEST_F(SessionsTest, MoreSessionsThanThereIsRoomForTakeTurns) {
  SessionOptions options;
  options.max_context = 100;
  options.max_tokens = 8;
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 9; ++i) sessions.push_back(session(options));
  for (int round = 0; round < 3; ++round)
    for (std::size_t i = 0; i < sessions.size(); ++i)
      EXPECT_EQ(ask(*sessions[i], {picture(i % 2 == 0)}).text, name(i % 2 == 0));
}

// If this fails, sessions that come and go leave something behind, or take something with them.
TEST_F(SessionsTest, SessionsComeAndGoWhileOthersAnswer) {
  const auto staying = session();
  std::atomic<bool> over = false;
  std::jthread others([&] {
    for (int i = 0; i < 150; ++i) {
      const auto passing = session();
      const bool day = i % 2 == 0;
      EXPECT_EQ(ask(*passing, {another(day)}).text, name(day));
    }
    over = true;
  });
  for (bool day = true; !over; day = !day) EXPECT_EQ(ask(*staying, {another(day)}).text, name(day));
}

// If this fails, a question that is stopped or cannot be answered takes others down with it.
TEST_F(SessionsTest, OneThatFailsLeavesTheOthersAlone) {
  const auto failing = session();
  const auto fine = session();
  std::atomic<bool> over = false;
  std::jthread troublemaker([&] {
    for (int i = 0; i < 40; ++i) {
      std::stop_source stop;
      std::jthread stopper([&] { stop.request_stop(); });
      const std::vector<EncodedImage> images{another(true)};
      const auto stopped = failing->ask("describe the scene.", images, stop.get_token());
      if (!stopped.ok()) {
        EXPECT_EQ(stopped.status().kind(), StatusKind::cancelled);
      }
      EXPECT_EQ(failing->ask(std::string(9000, 'x'), images, {}).status().kind(), StatusKind::exhausted);
    }
    over = true;
  });
  for (bool day = true; !over; day = !day) EXPECT_EQ(ask(*fine, {another(day)}).text, name(day));
  troublemaker.join();
  EXPECT_EQ(ask(*failing, {another(true)}).text, "day");
}

// If this fails, a window that slides for hours runs out of the positions that the model was trained for, or
// answers from what has left it.
TEST_F(SessionsTest, AWindowThatSlidesForLongAnswersFromWhatIsInIt) {
  SessionOptions options;
  options.max_context = 256;
  options.kv_policy = KvPolicy::slide;
  const auto sliding = session(options);
  int right = 0;
  std::vector<EncodedImage> window;
  for (int i = 0; i < 200; ++i) {
    const bool day = i / 5 % 2 == 0;
    window.push_back(another(day));
    if (window.size() > 2) window.erase(window.begin());
    if (i % 5 == 2)
      right += ask(*sliding, window).text == name(day);
    else
      ask(*sliding, window);
  }
  EXPECT_EQ(right, 40);
}

// If this fails, a smaller cache is not smaller, or answers nonsense.
TEST_F(SessionsTest, AQuantisedCacheAnswersToo) {
  for (const auto type : {KvType::q8_0, KvType::q4_0}) {
    SessionOptions options;
    options.kv_type = type;
    const auto small = session(options);
    EXPECT_EQ(ask(*small, {another(true)}).text, "day");
    EXPECT_EQ(ask(*small, {another(false)}).text, "night");
  }
}

}  // namespace
}  // namespace saccade
