#include "offload/chat/draft_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "offload/chat/same_words.h"

namespace saccade {
namespace {

constexpr const char *kPart = "\xEF\xBF\xBD";  // what servers show for a token that is part of a character

// The template's tokens, then these; a rank of 0 is none.
std::vector<PromptToken> prompt(const std::vector<PromptToken> &tokens) {
  std::vector<PromptToken> all = {{"", 0, 0}, {"<user>", 9, -1}, {"What?", 3, -1}, {"Assistant:", 1, -1}};
  all.insert(all.end(), tokens.begin(), tokens.end());
  return all;
}

// Breaks when a draft that is the cloud's own answer is not taken whole.
TEST(DraftCheck, ADraftThatTheCloudWouldSayIsAcceptedWhole) {
  const auto check =
      check_draft(prompt({{"A", 1, -0.1F}, {" red", 1, -0.2F}, {" car", 1, -0.3F}}), "A red car");
  EXPECT_TRUE(check.told);
  EXPECT_TRUE(check.whole);
  EXPECT_EQ(check.accepted, "A red car");
  EXPECT_EQ(check.tokens, 3);
  EXPECT_EQ(check.tokens_accepted, 3);
  EXPECT_EQ(check.log_probabilities, (std::vector<float>{-0.1F, -0.2F, -0.3F}));
}

// Breaks when anything behind the first refused token is kept, or a word is kept in half: it would be read as
// other tokens than those that were accepted.
TEST(DraftCheck, ItIsCutBackToAWholeWord) {
  const std::vector<PromptToken> tokens = {{"A", 1, 0},   {" motor", 1, 0}, {"cy", 1, 0},
                                           {"cle", 2, 0}, {" and", 1, 0},   {" more", 1, 0}};
  const auto check = check_draft(prompt(tokens), "A motorcycle and more");
  EXPECT_FALSE(check.whole);
  EXPECT_EQ(check.accepted, "A");
  EXPECT_EQ(check.log_probabilities.size(), 1U);
  EXPECT_EQ(check.tokens, 6);
  EXPECT_EQ(check.tokens_accepted, 3);
}

// Breaks when the beginning ends in white space, which templates trim away.
TEST(DraftCheck, WhiteSpaceAtTheCutIsLeftOut) {
  const std::vector<PromptToken> tokens = {{"A", 1, 0}, {" ", 1, 0}, {"  \n", 1, 0}, {"car", 5, 0}};
  EXPECT_EQ(check_draft(prompt(tokens), "A   \ncar").accepted, "A");
  const std::vector<PromptToken> behind = {{"A ", 1, 0}, {"red ", 1, 0}, {"car", 5, 0}};
  EXPECT_EQ(check_draft(prompt(behind), "A red car").accepted, "") << "no token ends where a word does";
}

// Breaks when nothing accepted is told as something.
TEST(DraftCheck, ItMayBeRefusedFromTheStart) {
  const auto check = check_draft(prompt({{"No", 2, 0}, {" cars", 1, 0}}), "No cars");
  EXPECT_TRUE(check.told);
  EXPECT_EQ(check.accepted, "");
  EXPECT_EQ(check.tokens_accepted, 0);
}

// Breaks when the first token, which may hold the template's white space, is not found.
TEST(DraftCheck, TheFirstTokenMayBeginInTheTemplate) {
  const auto check = check_draft(prompt({{" A", 1, 0}, {" car", 1, 0}}), "A car");
  EXPECT_TRUE(check.whole);
  EXPECT_EQ(check.tokens, 2);
}

// Breaks when characters that are made of several tokens are cut, lost or shift what stands around them.
TEST(DraftCheck, CharactersOfSeveralTokensStayWhole) {
  const std::string draft = "A \xF0\x9F\x9A\x97 and \xF0\x9F\x9A\xA6";
  const std::vector<PromptToken> all = {{"A", 1, 0},    {kPart, 1, 0}, {"", 1, 0},   {kPart, 1, 0},
                                        {" and", 1, 0}, {kPart, 1, 0}, {kPart, 1, 0}};
  EXPECT_TRUE(check_draft(prompt(all), draft).whole);
  auto refused = all;
  refused[5].rank = 2;
  EXPECT_EQ(check_draft(prompt(refused), draft).accepted, "A \xF0\x9F\x9A\x97 and");
  refused[2].rank = 2;
  EXPECT_EQ(check_draft(prompt(refused), draft).accepted, "A");
  const std::vector<PromptToken> first = {{kPart, 1, 0}, {kPart, 1, 0}, {" car", 2, 0}};
  EXPECT_EQ(check_draft(prompt(first), "\xC3\xBC car").accepted, "\xC3\xBC");
}

// Breaks when tokens that are not the draft's are taken for it.
TEST(DraftCheck, OtherTokensTellNothing) {
  EXPECT_FALSE(check_draft(prompt({{"A", 1, 0}, {" blue", 1, 0}, {" car", 1, 0}}), "A red car").told);
  EXPECT_FALSE(check_draft(prompt({}), "A red car").told);
  EXPECT_FALSE(check_draft({}, "A").told);
  EXPECT_FALSE(check_draft(prompt({{"A", 1, 0}}), "").told);
}

// Breaks when a token of unknown rank counts as accepted.
TEST(DraftCheck, WhatIsNotToldIsNotAccepted) {
  EXPECT_EQ(check_draft(prompt({{"A", 1, 0}, {" car", 0, 0}}), "A car").accepted, "A");
}

// Breaks when a draft that the cloud confirms counts as another answer for its full stop, or another one as
// confirmed.
TEST(SameWords, CaseSpaceAndPunctuationDoNotCount) {
  EXPECT_TRUE(same_words("Red.", "red"));
  EXPECT_TRUE(same_words(" A  red\ncar!", "a red car"));
  EXPECT_FALSE(same_words("a red car", "a car"));
  EXPECT_FALSE(same_words("redcar", "red car"));
  EXPECT_TRUE(same_words("", "..."));
}

}  // namespace
}  // namespace saccade
