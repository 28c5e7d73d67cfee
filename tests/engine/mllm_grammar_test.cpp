#include "mllm/grammar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/utf8.h"
#include "grammar_walks.h"
#include "mllm/choice.h"
#include "mllm/grammar_check.h"

namespace saccade {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

double log_softmax(const std::vector<float> &logits, std::int32_t token) {
  double most = kNever;
  for (const float logit : logits) most = std::max(most, static_cast<double>(logit));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  return logits[static_cast<std::size_t>(token)] - most - std::log(sum);
}

// Confidence and routing compare these figures; a faster sum must not be another sum.
TEST(Choice, IsTheMostProbableTokenWithItsLogProbability) {
  std::mt19937 random(1);
  for (const std::size_t count : {1UL, 31UL, 32UL, 33UL, 832UL, 20001UL}) {
    std::vector<float> logits(count);
    for (const float spread : {0.01F, 1.0F, 10.0F, 300.0F}) {
      for (float &logit : logits) logit = std::normal_distribution<float>(5, spread)(random);
      const auto choice = choose_greedily(logits);
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(choice.token, best);
      EXPECT_NEAR(choice.log_probability, log_softmax(logits, choice.token), 1e-6) << count << ", " << spread;
      EXPECT_LE(choice.log_probability, 0);
    }
  }
}

// Equal input must give an equal answer, and a model that computed nonsense must not crash us.
TEST(Choice, TiesGoToTheLowestIdAndNonsenseToNobody) {
  const float nan = std::nanf("");
  EXPECT_EQ(choose_greedily(std::vector<float>{1, 3, 3, 2}).token, 1);
  const auto choice = choose_greedily(std::vector<float>{nan, 2, kNever, nan, 2});
  EXPECT_EQ(choice.token, 1);
  EXPECT_NEAR(choice.log_probability, std::log(0.5), 1e-6);
  EXPECT_EQ(choose_greedily(std::vector<float>{nan, kNever}).log_probability, kNever);
}

class GrammarTest : public testing::Test {
 protected:
  void SetUp() override { pair_ = shipped_pair(); }

  std::shared_ptr<const Grammar> grammar(const std::string &gbnf) const {
    auto made = Grammar::create(pair_, gbnf);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.value();
  }
  std::int32_t byte(char c) const {
    return TokenIndex(vocabulary_of(*pair_)).alone(static_cast<std::uint8_t>(c)).value();
  }
  std::int32_t tokens() const { return llama_vocab_n_tokens(vocabulary_of(*pair_)); }

  std::shared_ptr<ModelPair> pair_;
};

// Breaks when one of the shortcuts (the best alone, the best few, by first byte) chooses another token than a
// look at all of them would.
TEST_F(GrammarTest, ChoosesTheMostProbableOfAllThatAreAllowed) {
  const auto made = grammar(R"(root ::= ("a car" | "two " [a-z]{2,6} | [^a-z0-9 ]{3} | "é" .{1,3})+)");
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    auto walk = made->start();
    for (int step = 0; step < 12; ++step) {
      const auto logits = random_logits(*pair_, random);
      std::optional<std::int32_t> best;
      for (std::int32_t token = 0; token < tokens(); ++token)
        if (walk.allows(token) &&
            (!best || logits[static_cast<std::size_t>(token)] > logits[static_cast<std::size_t>(*best)]))
          best = token;
      const auto choice = walk.choose(logits);
      ASSERT_EQ(choice.has_value(), best.has_value());
      if (!choice) break;
      ASSERT_EQ(choice->token, *best);
      EXPECT_NEAR(choice->log_probability, log_softmax(logits, *best), 1e-5);
      ASSERT_TRUE(walk.accept(choice->token).ok());
    }
  }
}

// A word that the grammar forced on the model must not look like one that it was sure of.
TEST_F(GrammarTest, AForcedTokenHasTheLogProbabilityThatTheModelGaveIt) {
  std::vector<float> logits(static_cast<std::size_t>(tokens()), 0.0F);
  logits[static_cast<std::size_t>(byte('n'))] = 20;
  auto walk = grammar(R"(root ::= "y" | "z")")->start();
  const auto choice = walk.choose(logits);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->token, std::min(byte('y'), byte('z')));  // a tie
  EXPECT_NEAR(choice->log_probability, -20, 0.01);
  logits[static_cast<std::size_t>(byte('z'))] = kNever;
  logits[static_cast<std::size_t>(byte('y'))] = kNever;
  EXPECT_EQ(walk.choose(logits)->log_probability, kNever);
}

// An answer must not end before the grammar does, nor go on behind it.
TEST_F(GrammarTest, TheTextMayEndWhereTheGrammarDoes) {
  std::vector<float> logits(static_cast<std::size_t>(tokens()), 0.0F);
  auto walk = grammar(R"(root ::= "a" "b"?)")->start();
  EXPECT_FALSE(walk.may_end());
  ASSERT_TRUE(walk.accept(byte('a')).ok());
  EXPECT_TRUE(walk.may_end());
  ASSERT_TRUE(walk.accept(byte('b')).ok());
  const auto end = walk.choose(logits);
  ASSERT_TRUE(end);
  EXPECT_TRUE(llama_vocab_is_eog(vocabulary_of(*pair_), end->token));
  ASSERT_TRUE(walk.accept(end->token).ok());
  EXPECT_FALSE(walk.choose(logits));
  EXPECT_FALSE(walk.may_end());
  EXPECT_FALSE(walk.accept(end->token).ok());
}

// llama.cpp aborts the process on an end token that may not come, and on the step after a wrong token.
TEST_F(GrammarTest, ATokenThatMayNotComeIsRefusedAndTheWalkGoesOn) {
  auto walk = grammar(R"(root ::= "ab")")->start();
  const auto end = TokenIndex(vocabulary_of(*pair_)).ends().front();
  for (const std::int32_t wrong : {end, byte('b'), -1, tokens(), std::numeric_limits<std::int32_t>::max()}) {
    const auto status = walk.accept(wrong);
    EXPECT_EQ(status.kind(), StatusKind::invalid_argument);
    EXPECT_NE(status.message().find(std::to_string(wrong)), std::string::npos);
  }
  EXPECT_TRUE(walk.accept(byte('a')).ok());
  EXPECT_FALSE(walk.choose({}));
  EXPECT_TRUE(walk.choose(std::vector<float>(2, 0.0F))) << "of a model with fewer tokens";
  EXPECT_TRUE(walk.accept(byte('b')).ok());
  EXPECT_TRUE(walk.may_end());
}

// Guessed tokens are taken back by going on with an older copy.
TEST_F(GrammarTest, ACopyGoesItsOwnWay) {
  auto walk = grammar(R"(root ::= "a" ("b" "c" | "d"))")->start();
  ASSERT_TRUE(walk.accept(byte('a')).ok());
  auto guess = walk;
  ASSERT_TRUE(guess.accept(byte('b')).ok());
  EXPECT_FALSE(guess.allows(byte('d')));
  EXPECT_TRUE(walk.allows(byte('d')));
  guess = walk;
  EXPECT_TRUE(guess.accept(byte('d')).ok());
  EXPECT_TRUE(guess.may_end());
  EXPECT_FALSE(walk.may_end());
}

// A control token has a name that a grammar could take for text, but no answer shows it.
TEST_F(GrammarTest, ControlTokensAreNoText) {
  auto walk = grammar(R"(root ::= .*)")->start();
  for (std::int32_t token = 0; token < tokens(); ++token) {
    const bool control = llama_vocab_is_control(vocabulary_of(*pair_), token);
    const bool end = llama_vocab_is_eog(vocabulary_of(*pair_), token);
    EXPECT_FALSE(control && !end && walk.allows(token)) << token;
  }
}

// Bytes are tokens, and llama.cpp takes E0 9F 80 or ED A0 80 for characters; whoever shows the answer does
// not.
TEST_F(GrammarTest, EveryTextIsUtf8) {
  const auto made = grammar(R"(root ::= [^\x00-\x7F]{1,30})");
  for (unsigned seed = 0; seed < 60; ++seed) {
    const auto text = random_text(*pair_, *made, seed);
    ASSERT_TRUE(text);
    EXPECT_TRUE(is_utf8(*text)) << *text;
  }
  for (const char *bad :
       {"\xC0\x80", "\xE0\x9F\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\x80", "\xC3"})
    EXPECT_FALSE(takes(*pair_, *made, bad));
  for (const char *good : {"\xC3\xA9", "\xE0\xA0\x80", "\xF0\x9F\x9A\xA6"})
    EXPECT_TRUE(takes(*pair_, *made, good));
}

// Breaks when a model without a word for what the grammar wants makes us loop or guess.
TEST_F(GrammarTest, NothingIsChosenWhereNothingIsAllowed) {
  auto walk = grammar(R"(root ::= "a" "\x00")")->start();
  const std::vector<float> logits(static_cast<std::size_t>(tokens()), 0.0F);
  ASSERT_TRUE(walk.accept(walk.choose(logits)->token).ok());
  EXPECT_FALSE(walk.choose(logits));
}

// Sessions of several threads share a grammar (run with the thread sanitizer).
TEST_F(GrammarTest, ThreadsWalkSideBySide) {
  const auto made = grammar(R"(root ::= ("walk " | "stop ") [0-9]{1,3})");
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (unsigned seed = 0; seed < 5; ++seed) {
        const auto text = random_text(*pair_, *made, 10 * i + seed);
        EXPECT_TRUE(text && takes(*pair_, *made, *text));
      }
    });
}

// Twice as many ways to read the text at each bracket: the walk has to end in a sentence, not in a hang.
TEST_F(GrammarTest, AnAmbiguousGrammarEndsInASentence) {
  auto walk = grammar("root ::= a\na ::= \"(\" a \")\" | \"(\" a \"]\" | \"x\"\n")->start();
  std::vector<float> logits(static_cast<std::size_t>(tokens()), 0.0F);
  logits[static_cast<std::size_t>(byte('('))] = 1;
  Status status;
  for (int i = 0; i < 60 && status.ok(); ++i) {
    const auto choice = walk.choose(logits);
    ASSERT_TRUE(choice);
    status = walk.accept(choice->token);
  }
  EXPECT_EQ(status.kind(), StatusKind::exhausted);
  EXPECT_NE(status.message().find("too many ways"), std::string::npos);
}

}  // namespace
}  // namespace saccade
