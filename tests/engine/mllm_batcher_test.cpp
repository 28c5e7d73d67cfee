// The batcher by itself, and the cache below it: who is read first, who pays for a failure, and where tokens
// stand after a thousand slides.
#include "mllm/batcher.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "shipped_pair.h"

namespace saccade {
namespace {

constexpr int kCells = 256;  // what llama.cpp would make of less

// Words without meaning, others for each seed.
TextTokens words(int count, int seed) {
  TextTokens tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(100 + (7 * i + 31 * seed) % 200);
  return tokens;
}

class BatcherTest : public ShippedPair {
 protected:
  struct Asked {
    Asked(const ModelPair &pair, std::uint64_t seat, TextTokens prompt, int reserve, int priority)
        : generation(pair, {1, nullptr, {}}) {
      request.prompt = {std::move(prompt)};
      request.generation = &generation;
      request.reserve = reserve;
      request.priority = priority;
      job.request = &request;
      job.seat = seat;
    }
    Generation generation;
    Request request;
    Job job;
  };

  std::unique_ptr<KvPool> pool(int lanes, const KvSetup &setup = {}) const {
    auto pool = KvPool::create(pair_, setup, {lanes, kCells});
    EXPECT_TRUE(pool.ok()) << pool.status().message();
    return std::move(pool).value();
  }
  std::unique_ptr<Batcher> batcher(int lanes) {
    return std::make_unique<Batcher>(pool(lanes), Batcher::Listener{[](Job &) {},
                                                                    [this](Job &job) {
                                                                      done_.push_back(job.seat);
                                                                      reports_[job.seat] = job.report;
                                                                    }});
  }
  // Its seat is its place among those who asked.
  void ask(Batcher &batcher, int tokens, int reserve, int priority = 0) {
    const auto seat = asked_.size();
    asked_.emplace_back(*pair_, seat, words(tokens, static_cast<int>(seat)), reserve, priority);
    batcher.add_seat(seat, kCells, 0);
    batcher.submit(asked_.back().job);
  }
  static void finish(Batcher &batcher) {
    for (int step = 0; !batcher.idle(); ++step) {
      ASSERT_LT(step, 100);
      batcher.step();
    }
  }

  std::deque<Asked> asked_;
  std::vector<std::uint64_t> done_;
  std::map<std::uint64_t, RequestReport> reports_;
};

// If this fails, a question that warns of a hazard waits behind one about the weather.
TEST_F(BatcherTest, HigherPrioritiesAreBegunAndReadFirst) {
  for (const int lanes : {1, 2}) {
    SCOPED_TRACE(std::to_string(lanes) + " lanes");
    asked_.clear();
    done_.clear();
    const auto batcher = this->batcher(lanes);
    ask(*batcher, 120, 124, 0);
    ask(*batcher, 120, 124, 5);
    finish(*batcher);
    EXPECT_EQ(done_, (std::vector<std::uint64_t>{1, 0}));
  }
}

// If this fails, a draft is checked word for word, which takes as long as writing it.
TEST_F(BatcherTest, AGivenBeginningIsScoredManyTokensAtATime) {
  const auto given = words(24, 3);
  const auto steps = [&](int guesses) {
    const auto batcher = this->batcher(1);
    Generation generation(*pair_, {.max_tokens = 1, .grammar = nullptr, .guess = {}, .beginning = given});
    Request request;
    request.prompt = {words(10, 1)};
    request.generation = &generation;
    request.reserve = 40;
    Job job;
    job.request = &request;
    batcher->add_seat(0, kCells, guesses);
    batcher->submit(job);
    int count = 0;
    for (; !batcher->idle() && count < 100; ++count) batcher->step();
    EXPECT_TRUE(reports_[0].status.ok()) << reports_[0].status.message();
    EXPECT_EQ(generation.beginning().size(), given.size());
    EXPECT_EQ(generation.tokens().size() - given.size(), generation.text().empty() ? 0U : 1U);
    EXPECT_EQ(reports_[0].guessed, 0);
    return count;
  };
  EXPECT_GE(steps(0), 24);
  EXPECT_LE(steps(11), 4);  // the prompt, and twelve at a time
}

// If this fails, one session's failure is everybody's, a full cache passes for the question's own fault, or
// more of a prompt is said to have been read than there is.
TEST_F(BatcherTest, WhoeverFailsFailsAlone) {
  const auto batcher = this->batcher(2);
  ask(*batcher, 130, 134);
  ask(*batcher, 200, 110);  // says that it needs less than it does: the cache is full while both are read
  finish(*batcher);
  EXPECT_TRUE(reports_[0].status.ok()) << reports_[0].status.message();
  EXPECT_EQ(reports_[1].status.kind(), StatusKind::unavailable);
  EXPECT_EQ(reports_[0].tokens_read, 130);
  const auto alone = this->batcher(1);
  const auto among_others = asked_[0].generation.log_probabilities();
  asked_.clear();
  ask(*alone, 130, 134);
  finish(*alone);
  ASSERT_EQ(among_others.size(), 1U);
  EXPECT_NEAR(asked_[0].generation.log_probabilities()[0], among_others[0], 1e-3F);
}

// If this fails, positions run beyond those that the model was trained for, or each slide reads it all again.
TEST_F(BatcherTest, AThousandSlidesStayWithinTheCache) {
  constexpr int kWindow = 4;
  const auto pool = this->pool(1);
  const std::vector<Stretch> opening{words(12, 1)};
  const Stretch question = words(10, 2);
  const int most = std::min(kCells, pool->trained_context());
  std::deque<Stretch> window;
  for (int slide = 0; slide < 1000; ++slide) {
    window.emplace_back(std::make_shared<TokenSet>(slide % 2 ? *day_ : *night_));
    if (window.size() > kWindow) window.pop_front();
    auto prompt = opening;
    prompt.insert(prompt.end(), window.begin(), window.end());
    prompt.push_back(question);
    const auto held = pool->keep(0, prompt, /*sliding=*/true, 8);
    if (slide >= kWindow) {
      ASSERT_EQ(held.stretches, prompt.size() - 2) << "slide " << slide;
    }
    for (auto i = held.stretches; i < prompt.size(); ++i) {
      const auto count = static_cast<std::size_t>(cells_of(prompt[i]));
      const Slice slice{0, &prompt[i], 0, count, i + 1 == prompt.size() ? 1U : 0U};
      ASSERT_TRUE(pool->read({&slice, 1}, {}).ok()) << "slide " << slide;
      pool->hold(0, prompt[i]);
    }
    ASSERT_LE(pool->position(0) + 8, most) << "slide " << slide;
    ASSERT_EQ(pool->cells(0), cells_of_all(prompt)) << "slide " << slide;
  }
}

// If this fails, the attention to one picture is taken for that to another, and the wrong one leaves.
TEST_F(BatcherTest, AttentionIsToldOfWhatALaneHoldsAndOfNothingElse) {
  const auto pool = this->pool(2, {.attention = true});
  // Two lanes whose cells lie among each other's, and one of them slides; then each by itself.
  const auto read = [&](int lane, const std::vector<Stretch> &prompt) {
    for (auto i = pool->keep(lane, prompt, /*sliding=*/true, 0).stretches; i < prompt.size(); ++i) {
      const auto count = static_cast<std::size_t>(cells_of(prompt[i]));
      const Slice slice{lane, &prompt[i], 0, count, i + 1 == prompt.size() ? 1U : 0U};
      EXPECT_TRUE(pool->read({&slice, 1}, {}).ok());
      pool->hold(lane, prompt[i]);
    }
    return pool->attention(lane);
  };
  const auto seen = [](const SharedTokens &tokens) { return std::make_shared<TokenSet>(*tokens); };
  const Stretch opening = words(12, 1);
  const Stretch question = words(10, 2);
  const Stretch first = seen(day_);
  const std::vector<Stretch> mine{opening, first, question};
  const std::vector<Stretch> theirs{opening, seen(night_), question};
  read(0, mine);
  const auto among = read(1, theirs);
  const std::vector<Stretch> slid{opening, seen(night_), seen(day_), question};
  for (const auto &shares : {among, read(0, {opening, first, slid[1], question}), read(0, slid)})
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0F), 1, 1e-3F);
  // What an answer's words attend to is not the question's attention.
  const Stretch said = words(1, 5);
  const Slice answer{1, &said, 0, 1, 1, /*of_answer=*/true};
  ASSERT_TRUE(pool->read({&answer, 1}, {}).ok());
  EXPECT_EQ(pool->attention(1), among);
  pool->clear(0);
  pool->clear(1);
  const auto alone = read(1, theirs);
  ASSERT_EQ(alone.size(), 3U);
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(among[i], alone[i], 1e-3F) << i;
  EXPECT_GT(alone[1], 0.01F);
  EXPECT_FALSE(KvPool::create(pair_, {.type = KvType::q8_0, .attention = true}, {1, kCells}).ok());
}

}  // namespace
}  // namespace saccade
