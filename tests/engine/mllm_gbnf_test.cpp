#include "mllm/grammar.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar_walks.h"
#include "mllm/grammar_steps.h"
#include "mllm/grammar_ways.h"

namespace saccade {
namespace {

struct Sound {
  std::string gbnf;
  std::vector<const char *> takes;
  std::vector<const char *> refuses;
};

const Sound kSound[] = {
    {"root ::= \"a\"", {"a"}, {"", "aa", "b"}},
    {"# a comment\n\nroot ::= item+ # more\r\nitem ::= [^\\n\\\\\\]-]* \"\\n\" | "
     "\"\\x41\\u00e9\\U0001F6A6é\"\n",
     {"xy\n", "\n\n", "Aé🚦é", "\"\n"},
     {"", "a", "-\n", "]\n", "\\\n", "aé🚦é"}},
    {"root ::= (\n  \"a\" # here, too\n  | b{2} |\n c{2,} | d{ 0 , 3 }\n)?\nb ::= .\nc ::= [a-z-]\nd ::= "
     "[-+*/]\n",
     {"", "a", "é!", "abc-", "+-*"},
     {"A", "abC", "+-*/", "aé-"}},
    {"root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]{1,3}\n",
     {"[]", "1", "[1,[22,333],[]]"},
     {"[", "[1,]", "[1,,2]", "1234", "[]]"}},
    {"root ::= a | |\n \"\"\na ::= \"b\"{0}\"c\"{0,0} (\"d\" \"e\"){1,2000}",
     {"", "de", "dede"},
     {"d", "ded", "cde"}},
    {"root ::= ([a-c]* \"x\"?)+ (empty empty)* \".\"\nempty ::= \"\"", {".", "axbx.", "xx."}, {"", "d."}},
};

// A grammar that people use must not be refused, nor read as another than it is.
TEST(Gbnf, SoundGrammarsAreTaken) {
  const Vocabulary vocabulary;
  for (const auto &sound : kSound) {
    const auto made = Grammar::create(vocabulary.pair, sound.gbnf);
    ASSERT_TRUE(made.ok()) << sound.gbnf << made.status().message();
    for (const char *text : sound.takes)
      EXPECT_TRUE(takes(vocabulary, *made.value(), text)) << sound.gbnf << text;
    for (const char *text : sound.refuses)
      EXPECT_FALSE(takes(vocabulary, *made.value(), text)) << sound.gbnf << text;
  }
}

std::string in_a_row(int count, const std::string &last, auto &&rule) {
  const auto name = [](int i) { return std::string("a").append(std::to_string(i)); };
  std::string gbnf = "root ::= a0\n";
  for (int i = 0; i < count; ++i) gbnf.append(name(i)).append(" ::= ").append(rule(name(i + 1))).append("\n");
  return gbnf.append(name(count)).append(" ::= ").append(last).append("\n");
}

struct Bad {
  const char *name;
  std::string gbnf;
  const char *words;  // in the sentence
};

// Each of these is a syntax error, or cannot be followed; most of the latter end the process in llama.cpp.
TEST(Gbnf, BadGrammarsAreRefusedWithASentence) {
  const auto twice = [](const std::string &next) { return next + " | " + next + " \"x\""; };
  const auto once = [](const std::string &next) { return next; };
  const Bad cases[] = {
      {"empty", "", "no rule \"root\""},
      {"blank", " \n# nothing\n", "no rule \"root\""},
      {"no root", "toor ::= \"a\"", "no rule \"root\""},
      {"an undefined rule", "root ::= \"a\"\n\n  | \"b\"", "line 3"},
      {"another undefined rule", "root ::= \"a\"\nb ::= \"x\" missing",
       "line 2: rule \"missing\" is not defined"},
      {"a rule twice", "root ::= \"a\"\nroot ::= \"b\"", "second time"},
      {"no ::=", "root = \"a\"", "::="},
      {"no name", "::= \"a\"", "name"},
      {"an open literal", "root ::= \"a", "never ends"},
      {"an open class", "root ::= [a", "never ends"},
      {"an open group", "root ::= (\"a\"", "expected )"},
      {"a group closed twice", "root ::= (\"a\"))", "end of the line"},
      {"an open escape", "root ::= \"\\", "escape"},
      {"an unknown escape", R"(root ::= "\q")", "escape"},
      {"a short escape", R"(root ::= "\u12")", "\\u 4"},
      {"an empty class", "root ::= [] \"a\"", "empty class"},
      {"a range backwards", "root ::= [z-a]", "backwards"},
      {"nothing to repeat", "root ::= *", "end of the line"},
      {"an empty literal repeated", "root ::= \"\"*", "empty literal"},
      {"a repetition repeated", "root ::= \"a\"+*", "parentheses"},
      {"a maximum below the minimum", "root ::= \"a\"{5,3}", "below"},
      {"no bounds", "root ::= \"a\"{}", "number"},
      {"open bounds", "root ::= \"a\"{2,3", "}"},
      {"a huge repetition", "root ::= \"a\"{3000}", "too large"},
      {"a huge maximum", "root ::= \"a\"{0,99999999}", "too large"},
      {"a maximum beyond numbers", "root ::= \"a\"{0,99999999999999999999999}", "too large"},
      {"a long literal repeated", "root ::= \"" + std::string(1000, 'x') + "\"{0,2000}", "steps"},
      {"tokens", "root ::= <[7]>", "tokens"},
      {"left recursion", "root ::= root \"x\" | \"y\"", "begins with itself"},
      {"left recursion by way of another", "root ::= a\na ::= b \"x\" | \"z\"\nb ::= a \"y\"",
       "begins with itself"},
      {"left recursion behind what is empty", "root ::= a root \"x\" | \"y\"\na ::= b\nb ::= \"\"",
       "begins with itself"},
      {"no end", "root ::= \"a\" root", "can never end"},
      {"60,000 parentheses", "root ::= " + std::string(60000, '('), "nested"},
      {"20,000 rules", in_a_row(12000, "\"y\"", once), "10000 rules"},
      {"2^30 ways", in_a_row(30, "\"y\"", twice), "too many ways"},
      {"a letter beyond Unicode", R"(root ::= "\U00110000")", "Unicode"},
      {"a zero byte", std::string("root ::= \"a\"\0", 13), "UTF-8"},
      {"a zero byte before the end", std::string("root ::= \"a\"\n\0\nb", 16), "UTF-8"},
      {"no UTF-8", "root ::= \"\xC3\x28\"", "UTF-8"},
      {"a megabyte", "root ::= \"" + std::string(1 << 20, 'x') + "\"", "bytes long"},
  };
  const Vocabulary vocabulary;
  for (const auto &bad : cases) {
    const auto made = Grammar::create(vocabulary.pair, bad.gbnf);
    ASSERT_FALSE(made.ok()) << bad.name;
    EXPECT_TRUE(made.status().message().starts_with("grammar: ")) << bad.name;
    EXPECT_NE(made.status().message().find(bad.words), std::string::npos)
        << bad.name << ": " << made.status().message();
    EXPECT_LT(made.status().message().size(), 300U) << bad.name;
  }
}

// Breaks when a grammar that is cut off or changed anywhere crashes us (run with the sanitizers).
TEST(Gbnf, DamageAnywhereIsSurvived) {
  for (const auto &[gbnf, taken, refused] : kSound)
    for (std::size_t i = 0; i <= gbnf.size(); ++i) {
      const auto start = gbnf.substr(0, i);
      (void)GrammarSteps::of(start);
      for (const char c : {'"', '(', ')', ']', '\\', '{', '9', '*', '|', '\n', '\xFF'})
        if (const auto steps = GrammarSteps::of(start + c + gbnf.substr(i)); steps.ok())
          (void)GrammarWays(std::make_shared<const GrammarSteps>(steps.value())).start();
    }
}

}  // namespace
}  // namespace saccade
