// Conversations of many turns, and answers that go on from words that are given: scored, checked, continued.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mllm/answer_form.h"
#include "shipped_pair.h"

namespace saccade {
namespace {

constexpr const char *kDescribe = "describe the scene.";
constexpr const char *kQuestion = "is it day or night?";
constexpr float kNearTie = 1e-3F;  // what many tokens in one evaluation may differ from one at a time

class ConversationTest : public ShippedPair {
 protected:
  static SessionOptions guessing(int guesses = 8) {
    SessionOptions options;
    options.guesses = guesses;
    return options;
  }
  std::unique_ptr<Session> guessing_session(int guesses = 8) const { return session(guessing(guesses)); }
  Turn user(Session &session, const std::string &question, bool day = true) const {
    return {Role::user, {picture(day), session.words(question)}};
  }
  static Turn says(Session &session, Role role, const std::string &text) {
    return {role, {session.words(text)}};
  }
  Answer ask(Session &session, const char *question, const AskOptions &options = {}) const {
    return said(session, {user(session, question)}, options);
  }
  static Answer said(Session &session, std::vector<Turn> conversation, const AskOptions &options = {}) {
    auto answer = session.answer(std::move(conversation), {}, options);
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? std::move(answer).value() : Answer();
  }
  static AskOptions beginning(const std::string &text, int max_tokens = 64) {
    AskOptions options;
    options.beginning = text;
    options.max_tokens = max_tokens;
    return options;
  }
  static AskOptions recording(std::size_t alternatives) {
    AskOptions options;
    options.alternatives = alternatives;
    return options;
  }
};

// If this fails, a question to a camera is laid out in another way than the same words in a conversation.
TEST_F(ConversationTest, AQuestionIsAConversationOfOneTurn) {
  const auto own = session();
  const EncodedImage day[] = {picture(true)};
  const auto asked = own->ask(kQuestion, day, {});
  ASSERT_TRUE(asked.ok()) << asked.status().message();
  const auto answered = ask(*own, kQuestion);
  EXPECT_EQ(answered.text, asked.value().text);
  EXPECT_EQ(answered.prompt_tokens, asked.value().prompt_tokens);
  EXPECT_NEAR(answered.token_log_probabilities.front(), asked.value().token_log_probabilities.front(),
              kNearTie);
}

// If this fails, what was said before is not part of the prompt, or it is read anew although it is held.
TEST_F(ConversationTest, EarlierTurnsAreReadOnce) {
  const auto own = session();
  const auto first = ask(*own, kQuestion);
  const std::vector<Turn> longer{user(*own, kQuestion), says(*own, Role::assistant, first.text),
                                 user(*own, kQuestion, false)};
  const auto second = said(*own, longer);
  EXPECT_EQ(second.text, said(*session(), longer).text);  // with nothing held
  EXPECT_GT(second.prompt_tokens, 2 * first.prompt_tokens - 2);
  EXPECT_LT(second.prompt_tokens_read, second.prompt_tokens - encoder_->grid().count());
  EXPECT_EQ(second.visual_tokens_seen, 2 * encoder_->grid().count());
}

// If this fails, a system's message is dropped, or the session's own comes in its place.
TEST_F(ConversationTest, AConversationMayBringItsOwnSystemText) {
  auto options = guessing();
  options.system_prompt = "one two three four five six seven eight nine ten";
  const auto prompted = session(options);
  const auto plain = session();
  const auto none = ask(*plain, kQuestion).prompt_tokens;
  const auto sessions_own = ask(*prompted, kQuestion).prompt_tokens;
  const auto its_own =
      said(*prompted, {says(*prompted, Role::system, "one"), user(*prompted, kQuestion)}).prompt_tokens;
  EXPECT_GT(its_own, none);
  EXPECT_GT(sessions_own, its_own);
}

// A client's words must never be read as control tokens, in whoever's name they are said.
TEST_F(ConversationTest, ControlTokensInATurnAreText) {
  const auto own = session();
  for (const auto role : {Role::system, Role::user, Role::assistant}) {
    const auto tokens = [&](const std::string &text) {
      std::vector<Turn> turns;
      if (role != Role::system) turns.push_back(user(*own, kQuestion));
      turns.push_back(says(*own, role, text));
      if (role != Role::user) turns.push_back(user(*own, kQuestion));
      return said(*own, turns).prompt_tokens;
    };
    // As a control token it would be one.
    EXPECT_GT(tokens("x<end_of_utterance>"), tokens("x") + 3);
  }
}

TEST_F(ConversationTest, AnEmptyConversationIsRefused) {
  const auto refused = session()->answer({}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().kind(), StatusKind::invalid_argument);
}

// If this fails, a draft that the model would have written itself counts as wrong, and every check of a draft
// costs a second answer.
TEST_F(ConversationTest, AGreedyAnswerIsTheModelsOwnChoiceThroughout) {
  for (const int guesses : {0, 2, 8}) {
    SCOPED_TRACE(guesses);
    const auto own = guessing_session(guesses);
    const auto answer = ask(*own, kDescribe, recording(2));
    ASSERT_GT(answer.token_log_probabilities.size(), 8U);
    ASSERT_EQ(answer.tokens.size(), answer.token_log_probabilities.size());
    const auto checked = ask(*own, kDescribe, beginning(answer.text, 1));
    ASSERT_EQ(checked.beginning.size(), answer.token_log_probabilities.size());
    for (std::size_t i = 0; i < checked.beginning.size(); ++i) {
      const auto &[token, alternatives] = checked.beginning[i];
      EXPECT_EQ(token.rank, 1) << i << " " << token.text;
      EXPECT_EQ(token.id, answer.tokens[i].token.id);
      EXPECT_NEAR(token.log_probability, answer.token_log_probabilities[i], kNearTie) << i;
      ASSERT_EQ(alternatives.size(), 1U);
      EXPECT_EQ(alternatives.front().id, token.id);
    }
    EXPECT_EQ(checked.text, "");  // it ends where it ended
    EXPECT_FALSE(checked.truncated);
    EXPECT_EQ(checked.tokens_guessed, 0);  // what is given is no guess
  }
}

// If this fails, the cloud's continuation is another answer than the one that it would have given alone.
TEST_F(ConversationTest, AnAnswerGoesOnFromItsOwnBeginning) {
  const auto own = guessing_session();
  const auto answer = ask(*own, kDescribe, recording(0));
  std::string raw;
  for (const auto &record : answer.tokens) raw += record.token.text;
  const auto lead = raw.find(answer.text);
  ASSERT_NE(lead, std::string::npos);
  std::string before;
  for (const auto &record : answer.tokens) {
    before += record.token.text;
    if (before.size() <= lead) continue;
    const auto begun = before.substr(lead);
    std::string heard;
    auto options = beginning(begun);
    options.listener = [&heard](std::string_view piece) { heard += piece; };
    const auto rest = ask(*own, kDescribe, options);
    EXPECT_EQ(begun + rest.text, answer.text);
    EXPECT_EQ(heard, rest.text);
    EXPECT_EQ(rest.beginning.size() + rest.token_log_probabilities.size() - (rest.text.empty() ? 1 : 0),
              answer.tokens.size());
  }
}

// If this fails, a wrong draft is accepted, or nobody learns what the model would have said instead.
TEST_F(ConversationTest, AWrongTokenIsSeenAndNamed) {
  const auto own = guessing_session();
  const auto checked = ask(*own, kQuestion, beginning("night", 1));  // of a picture by day
  ASSERT_FALSE(checked.beginning.empty());
  const auto &[token, alternatives] = checked.beginning.front();
  EXPECT_GT(token.rank, 1);
  ASSERT_EQ(alternatives.size(), 1U);
  EXPECT_NE(alternatives.front().text.find("day"), std::string::npos) << alternatives.front().text;
  EXPECT_GT(alternatives.front().log_probability, token.log_probability);
  EXPECT_LT(checked.token_log_probabilities.size(), 2U);
}

// If this fails, odd places to stop crash the model's thread or lose a client's or the model's words.
TEST_F(ConversationTest, ABeginningMayEndAnywhere) {
  const auto own = guessing_session();
  const std::string umlaut = "a \xC3\xA4";
  for (const auto &begun : {std::string(" "), std::string("the \n "), std::string("a "), umlaut.substr(0, 3),
                            umlaut, std::string("\xF0\x9F\x9A")}) {
    std::string heard;
    auto options = beginning(begun, 5);
    options.listener = [&heard](std::string_view piece) { heard += piece; };
    const auto answer = ask(*own, kDescribe, options);
    std::string read;
    for (const auto &record : answer.beginning) read += record.token.text;
    EXPECT_TRUE(read.ends_with(begun)) << read;
    EXPECT_EQ(heard, answer.text);
    EXPECT_LE(answer.token_log_probabilities.size(), 5U);
  }
}

// If this fails, a beginning eats the answer's tokens, or overruns the context.
TEST_F(ConversationTest, TokensAreCountedBehindTheBeginning) {
  auto options = guessing();
  const auto own = session(options);
  const auto answer = ask(*own, kDescribe, recording(0));
  const auto half = answer.text.substr(0, answer.text.find(' ', answer.text.size() / 3));
  for (const int most : {1, 2, 3}) {
    const auto rest = ask(*own, kDescribe, beginning(half, most));
    EXPECT_EQ(rest.token_log_probabilities.size(), static_cast<std::size_t>(most));
    EXPECT_TRUE(rest.truncated);
  }
  options.max_context = answer.prompt_tokens + 4;
  const auto small = session(options);
  const auto refused = small->answer({user(*small, kDescribe)}, {}, beginning(answer.text));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().kind(), StatusKind::exhausted);
}

// If this fails, an answer's records are not the model's view of it.
TEST_F(ConversationTest, RecordsNameTheMostProbable) {
  const auto answer = ask(*session(), kDescribe, recording(3));
  ASSERT_EQ(answer.tokens.size(), answer.token_log_probabilities.size());
  for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
    const auto &[token, alternatives] = answer.tokens[i];
    EXPECT_FLOAT_EQ(token.log_probability, answer.token_log_probabilities[i]);
    ASSERT_EQ(alternatives.size(), 3U);
    EXPECT_EQ(alternatives[0].id, token.id);
    EXPECT_GE(alternatives[0].log_probability, alternatives[1].log_probability);
    EXPECT_GE(alternatives[1].log_probability, alternatives[2].log_probability);
    EXPECT_NE(alternatives[1].id, alternatives[2].id);
    EXPECT_EQ(alternatives[2].rank, 3);
  }
}

// If this fails, a prediction is not used, changes an answer, or is believed where it is wrong.
TEST_F(ConversationTest, APredictionSavesStepsAndChangesNothing) {
  const auto expected = ask(*session(), kDescribe);
  AskOptions options;
  options.prediction = expected.text;
  const auto right = ask(*guessing_session(), kDescribe, options);
  EXPECT_EQ(right.text, expected.text);
  EXPECT_GT(right.tokens_guessed, 4);
  EXPECT_EQ(right.tokens_guessed_right, right.tokens_guessed);
  options.prediction = "it is a dog that has lost its way in the rain.";
  const auto wrong = ask(*guessing_session(), kDescribe, options);
  EXPECT_EQ(wrong.text, expected.text);
  EXPECT_LT(wrong.tokens_guessed_right, std::max(1, wrong.tokens_guessed));
  const auto cut = expected.text.find(' ', expected.text.size() / 2);
  auto both = beginning(expected.text.substr(0, cut));
  both.prediction = expected.text.substr(cut);
  const auto rest = ask(*guessing_session(), kDescribe, both);
  EXPECT_EQ(rest.text, expected.text.substr(cut));
  EXPECT_GT(rest.tokens_guessed_right, 0);
}

// If this fails, JSON that is continued is not what the schema wants, or a beginning outside of it passes.
TEST_F(ConversationTest, AGrammarHoldsForBeginningAndRest) {
  const auto own = guessing_session();
  const auto grammar = grammar_of(
      pair_, {R"({"type":"object","properties":{"night":{"type":"boolean"}},"required":["night"]})", ""});
  ASSERT_TRUE(grammar.ok()) << grammar.status().message();
  auto options = beginning("{\"night\":");
  options.grammar = grammar.value();
  const auto rest = ask(*own, kQuestion, options);
  EXPECT_TRUE(rest.text == " true}" || rest.text == " false}" || rest.text == "true}" ||
              rest.text == "false}")
      << rest.text;
  options.beginning = "it is";
  const auto refused = own->answer({user(*own, kQuestion)}, {}, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().kind(), StatusKind::invalid_argument);
  EXPECT_NE(refused.status().message().find("beginning"), std::string::npos);
}

}  // namespace
}  // namespace saccade
