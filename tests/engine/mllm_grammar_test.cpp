#include "mllm/grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/utf8.h"
#include "grammar_walks.h"
#include "mllm/choice.h"
#include "mllm/json_schema.h"

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

// If this fails, what a model would have said instead is not what it would have said.
TEST(Choice, SeveralAreTheFirstOfAllInTheirOrder) {
  std::mt19937 random(2);
  std::vector<float> logits(1'000);
  for (float &logit : logits) logit = std::round(std::normal_distribution<float>(0, 3)(random));  // many ties
  logits[7] = std::nanf("");
  logits[8] = kNever;
  const auto best = choose_greedily(logits);
  const auto several = choose_several(logits, 2'000, best);
  ASSERT_EQ(several.size(), 998U);
  EXPECT_EQ(several.front().token, best.token);
  for (std::size_t i = 0; i < several.size(); ++i) {
    const auto standing = standing_of(several[i].token, logits, best);
    EXPECT_EQ(standing.rank, static_cast<int>(i) + 1);
    EXPECT_FLOAT_EQ(standing.log_probability, several[i].log_probability);
  }
  const auto few = choose_several(logits, 3, best);
  ASSERT_EQ(few.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(few[i].token, several[i].token);
  EXPECT_TRUE(choose_several(logits, 0, best).empty());
  EXPECT_EQ(standing_of(8, logits, best).log_probability, kNever);
  EXPECT_EQ(standing_of(7, logits, best).log_probability, kNever);
}

// Breaks when a model that is torn between two words counts as sure, or one that is sure as torn.
TEST(Choice, HesitationIsTheDistancesAndTheSpreadOfTheProbabilities) {
  const auto of = [](const std::vector<float> &logits) {
    return hesitation_of(logits, choose_greedily(logits));
  };
  const auto even = of(std::vector<float>(64, 3));
  EXPECT_NEAR(even.margin, 0, 1e-6);
  EXPECT_NEAR(even.entropy, 1, 1e-6);

  std::vector<float> torn(64, kNever);
  torn[3] = torn[9] = 1;
  EXPECT_NEAR(of(torn).margin, 0, 1e-6);
  EXPECT_NEAR(of(torn).entropy, std::log(2) / std::log(64), 1e-6);

  // Against the definition.
  std::vector<float> some(1000);
  double sum = 0;
  for (std::size_t i = 0; i < some.size(); ++i) {
    some[i] = static_cast<float>((i * 2654435761U) % 977) / 100;
    sum += std::exp(static_cast<double>(some[i]));
  }
  double entropy = 0;
  std::vector<double> chances;
  for (const float logit : some) {
    chances.push_back(std::exp(static_cast<double>(logit)) / sum);
    entropy -= chances.back() * std::log(chances.back());
  }
  std::ranges::sort(chances, std::greater());
  EXPECT_NEAR(of(some).margin, chances[0] - chances[1], 1e-6);
  EXPECT_NEAR(of(some).entropy, entropy / std::log(1000.0), 1e-6);

  for (const auto &odd : {std::vector<float>{5}, std::vector<float>{kNever, kNever},
                          std::vector<float>{std::nanf(""), 2}, std::vector<float>{-kNever, 1}}) {
    EXPECT_EQ(of(odd).margin, 1);
    EXPECT_EQ(of(odd).entropy, 0);
  }
}

class GrammarTest : public testing::Test {
 protected:
  std::shared_ptr<const Grammar> grammar(const std::string &gbnf) const {
    auto made = Grammar::create(vocabulary_.pair, gbnf);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.value();
  }
  std::int32_t byte(char c) const { return vocabulary_.byte(c); }
  std::vector<float> indifferent() const {
    return std::vector<float>(static_cast<std::size_t>(vocabulary_.count()));
  }

  const Vocabulary vocabulary_;
};

// Breaks when a shortcut (the best alone, beginnings read once, only what is better than the best so far)
// chooses another token than a look at each would.
TEST_F(GrammarTest, ChoosesTheMostProbableOfAllThatAreAllowed) {
  const auto made = grammar(R"(root ::= ("a car" | "two " [a-z]{2,6} | [^a-z0-9 ]{3} | "é" .{1,3})+)");
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    auto walk = made->start();
    for (int step = 0; step < 12; ++step) {
      const auto logits = random_logits(vocabulary_, random);
      std::optional<std::int32_t> best;
      for (std::int32_t token = 0; token < vocabulary_.count(); ++token)
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
  auto logits = indifferent();
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
  auto logits = indifferent();
  auto walk = grammar(R"(root ::= "a" "b"?)")->start();
  EXPECT_FALSE(walk.may_end());
  ASSERT_TRUE(walk.accept(byte('a')).ok());
  EXPECT_TRUE(walk.may_end());
  ASSERT_TRUE(walk.accept(byte('b')).ok());
  const auto end = walk.choose(logits);
  ASSERT_TRUE(end);
  EXPECT_TRUE(vocabulary_.tokens.is_end(end->token));
  ASSERT_TRUE(walk.accept(end->token).ok());
  EXPECT_FALSE(walk.choose(logits));
  EXPECT_FALSE(walk.may_end());
  EXPECT_FALSE(walk.accept(end->token).ok());
}

// Breaks when a token from elsewhere, e.g. from a guess, derails the walk.
TEST_F(GrammarTest, ATokenThatMayNotComeIsRefusedAndTheWalkGoesOn) {
  auto walk = grammar(R"(root ::= "ab")")->start();
  for (const std::int32_t wrong :
       {vocabulary_.end(), byte('b'), -1, vocabulary_.count(), std::numeric_limits<std::int32_t>::max()}) {
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
  for (std::int32_t token = 0; token < vocabulary_.count(); ++token) {
    const bool control = llama_vocab_is_control(vocabulary_.llama(), token);
    EXPECT_FALSE(control && !vocabulary_.tokens.is_end(token) && walk.allows(token)) << token;
  }
}

// Bytes are tokens, and llama.cpp takes E0 9F 80 or ED A0 80 for characters; whoever shows the answer does
// not.
TEST_F(GrammarTest, EveryTextIsUtf8) {
  const auto made = grammar(R"(root ::= [^\x00-\x7F]{1,30})");
  for (unsigned seed = 0; seed < 60; ++seed) {
    const auto text = random_text(vocabulary_, *made, seed);
    ASSERT_TRUE(text);
    EXPECT_TRUE(is_utf8(*text)) << *text;
  }
  for (const char *bad :
       {"\xC0\x80", "\xE0\x9F\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\x80", "\xC3"})
    EXPECT_FALSE(takes(vocabulary_, *made, bad));
  for (const char *good : {"\xC3\xA9", "\xE0\xA0\x80", "\xF0\x9F\x9A\xA6"})
    EXPECT_TRUE(takes(vocabulary_, *made, good));
}

// Breaks when a model without a word for what the grammar wants makes us loop or guess.
TEST_F(GrammarTest, NothingIsChosenWhereNothingIsAllowed) {
  auto walk = grammar(R"(root ::= "a" "\x00")")->start();
  const auto logits = indifferent();
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
        const auto text = random_text(vocabulary_, *made, 10 * i + seed);
        EXPECT_TRUE(text && takes(vocabulary_, *made, *text));
      }
    });
}

// Twice as many ways to read the text at each bracket: the walk has to end in a sentence, not in a hang.
TEST_F(GrammarTest, AnAmbiguousGrammarEndsInASentence) {
  auto walk = grammar("root ::= a\na ::= \"(\" a \")\" | \"(\" a \"]\" | \"x\"\n")->start();
  auto logits = indifferent();
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

// Words of words can be taken apart in 2^200 ways, over which llama.cpp's reader would sit for ever.
TEST_F(GrammarTest, AmbiguousRepetitionsCostNoMoreThanOthers) {
  const std::string text(200, 'x');
  for (const char *gbnf :
       {R"(root ::= ([a-z ]+)+ ".")", R"(root ::= ([a-z] | [a-z] [a-z])* ".")",
        "root ::= ([a-z]* [a-z]?)* \".\"", "root ::= a{0,200} \".\"\na ::= [a-z]+ | [x-z]*\n",
        "root ::= list \".\"\nlist ::= word list | word\nword ::= [a-z]+\n"}) {
    const auto made = grammar(gbnf);
    EXPECT_TRUE(takes(vocabulary_, *made, text + "."));
    EXPECT_FALSE(takes(vocabulary_, *made, text + "!"));
  }
}

// llama.cpp's reader is the measure where it is able: what may come next must be the same for both, except
// for what is no text. A difference would be a notation of our own.
TEST_F(GrammarTest, AllowsWhatLlamaCppAllows) {
  const std::string grammars[] = {
      "root ::= \"a\" [b-d]{2,4} (\"é\" | [^a-z\\n]{0,3} \"\\x41\" | .?)* end\nend ::= \".\" | \"!\"+\n",
      "root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]{1,3} | \"\\\"\" [^\\\"]* "
      "\"\\\"\"\n",
      "root ::= line{3}\nline ::= [- a-zA-Z\\]\\[]+ \"\\n\"\n",
      grammar_of_json_schema(R"({"type":"object","required":["d"],"properties":{"n":{"type":"number"},
          "s":{"type":"string","maxLength":5},"d":{"type":"string","format":"date"},
          "l":{"type":"array","items":{"enum":["red","read",null]}}}})")
          .value(),
  };
  for (const auto &gbnf : grammars) {
    const auto made = grammar(gbnf);
    for (unsigned seed = 0; seed < 4; ++seed) {
      const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> theirs(
          llama_sampler_init_grammar(vocabulary_.llama(), gbnf.c_str(), "root"), llama_sampler_free);
      ASSERT_TRUE(theirs);
      std::mt19937 random(seed);
      auto walk = made->start();
      std::string text;
      for (int step = 0; step < 25; ++step) {
        std::vector<llama_token_data> data;
        for (std::int32_t token = 0; token < vocabulary_.count(); ++token) data.push_back({token, 0, 0});
        llama_token_data_array array{data.data(), data.size(), -1, false};
        llama_sampler_apply(theirs.get(), &array);
        for (const auto &[token, logit, p] : data) {
          const bool is_text = vocabulary_.tokens.is_end(token) ||
                               (!vocabulary_.tokens.text_of(token).empty() &&
                                unfinished_utf8(text + std::string(vocabulary_.tokens.text_of(token))));
          ASSERT_EQ(walk.allows(token), logit != kNever && is_text) << gbnf << text << "\n" << token;
        }
        const auto choice = walk.choose(random_logits(vocabulary_, random));
        if (!choice || vocabulary_.tokens.is_end(choice->token)) break;
        ASSERT_TRUE(walk.accept(choice->token).ok());
        llama_sampler_accept(theirs.get(), choice->token);
        text += vocabulary_.tokens.text_of(choice->token);
      }
    }
  }
}

}  // namespace
}  // namespace saccade
