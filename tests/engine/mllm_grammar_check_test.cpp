#include "mllm/grammar_check.h"

#include <gtest/gtest.h>

#include <string>

#include "grammar_walks.h"

namespace saccade {
namespace {

const std::string kSound[] = {
    "root ::= \"a\"",
    "# a comment\n\nroot ::= item+ # more\r\nitem ::= [^\\n\\\\\\]-]* \"\\n\" | "
    "\"\\x41\\u00e9\\U0001F6A6é\"\n",
    "root ::= (\n  \"a\" # here, too\n  | b{2} |\n c{2,} | d{ 0 , 3 }\n)?\nb ::= .\nc ::= [a-z-]\nd ::= "
    "[-+*/]\n",
    "root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]{1,3}\n",
    "root ::= a | |\n \"\"\na ::= \"b\"{0}\"c\"{0,0} (\"d\" \"e\"){1,1000}",
};

// A grammar that people use must not be refused.
TEST(GrammarCheck, SoundGrammarsAreTaken) {
  const auto pair = shipped_pair();
  for (const auto &gbnf : kSound) {
    const auto made = Grammar::create(pair, gbnf);
    EXPECT_TRUE(made.ok()) << gbnf << made.status().message();
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

// Each of these is a syntax error, or ends the process in llama.cpp, or never returns.
TEST(GrammarCheck, BadGrammarsAreRefusedWithASentence) {
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
      {"repetitions within one another", "root ::= (\"a\"{0,100} \"b\"){0,100}", "too large"},
      {"a long literal repeated", "root ::= \"" + std::string(1000, 'x') + "\"{0,2000}", "elements"},
      {"tokens", "root ::= <[7]>", "tokens"},
      {"left recursion", "root ::= root \"x\" | \"y\"", "begins with itself"},
      {"left recursion by way of another", "root ::= a\na ::= b \"x\" | \"z\"\nb ::= a \"y\"",
       "begins with itself"},
      {"left recursion behind what is empty", "root ::= a root \"x\" | \"y\"\na ::= b\nb ::= \"\"",
       "begins with itself"},
      {"empty things for ever", "root ::= (a)*\na ::= b\nb ::= \"\" | \"x\"", "may be empty"},
      {"empty things many times", "root ::= a{0,2000}\na ::= \"x\"?", "may be empty"},
      {"no end", "root ::= \"a\" root", "can never end"},
      {"60,000 parentheses", "root ::= " + std::string(60000, '('), "nested"},
      {"10,000 rules in a row", in_a_row(9000, "\"y\"", once), "chain"},
      {"2^30 ways", in_a_row(30, "\"y\"", twice), "ways to begin"},
      {"a zero byte", std::string("root ::= \"a\"\0", 13), "UTF-8"},
      {"a zero byte before the end", std::string("root ::= \"a\"\n\0\nb", 16), "UTF-8"},
      {"no UTF-8", "root ::= \"\xC3\x28\"", "UTF-8"},
      {"a megabyte", "root ::= \"" + std::string(1 << 20, 'x') + "\"", "bytes long"},
  };
  const auto pair = shipped_pair();
  for (const auto &bad : cases) {
    const auto made = Grammar::create(pair, bad.gbnf);
    ASSERT_FALSE(made.ok()) << bad.name;
    EXPECT_TRUE(made.status().message().starts_with("grammar: ")) << bad.name;
    EXPECT_NE(made.status().message().find(bad.words), std::string::npos)
        << bad.name << ": " << made.status().message();
    EXPECT_LT(made.status().message().size(), 300U) << bad.name;
  }
}

bool llama_takes(const ModelPair &pair, const std::string &gbnf) {
  llama_sampler *sampler = llama_sampler_init_grammar(vocabulary_of(pair), gbnf.c_str(), "root");
  llama_sampler_free(sampler);
  return sampler != nullptr;
}

// Breaks when a grammar that is cut off or changed anywhere crashes us, or when llama.cpp does not take what
// passes the check: then the person who wrote it reads no sentence, but what llama.cpp prints.
TEST(GrammarCheck, LlamaCppTakesWhatPasses) {
  const auto pair = shipped_pair();
  for (const auto &gbnf : kSound)
    for (std::size_t i = 0; i <= gbnf.size(); ++i) {
      const auto start = gbnf.substr(0, i);
      EXPECT_TRUE(!check_grammar(start).ok() || llama_takes(*pair, start)) << start;
      for (const char c : {'"', '(', ')', ']', '\\', '{', '9', '*', '|', '\n', '\xFF'}) {
        const auto damaged = start + c + gbnf.substr(i);
        EXPECT_TRUE(!check_grammar(damaged).ok() || llama_takes(*pair, damaged)) << damaged;
      }
    }
}

}  // namespace
}  // namespace saccade
