#include "mllm/json_schema.h"

#include <gtest/gtest.h>
#include <json-glib/json-glib.h>

#include <string>
#include <utility>
#include <vector>

#include "base/glib_pointer.h"
#include "base/utf8.h"
#include "grammar_walks.h"
#include "json_check.h"
#include "mllm/grammar_steps.h"

namespace saccade {
namespace {

ObjectPointer<JsonParser> parsed(const std::string &text) {
  ObjectPointer<JsonParser> parser(json_parser_new_immutable());
  EXPECT_TRUE(json_parser_load_from_data(parser.get(), text.c_str(), -1, nullptr)) << text;
  return parser;
}

class JsonSchemaTest : public testing::Test {
 protected:
  std::shared_ptr<const Grammar> grammar(const std::string &schema) const {
    const auto gbnf = grammar_of_json_schema(schema);
    EXPECT_TRUE(gbnf.ok()) << schema << "\n" << gbnf.status().message();
    auto made = Grammar::create(vocabulary_.pair, gbnf.value());
    EXPECT_TRUE(made.ok()) << gbnf.value() << made.status().message();
    return made.value();
  }

  const Vocabulary vocabulary_;
};

const char *const kSchemas[] = {
    R"({"type":"string"})",
    R"({"type":"string","minLength":3,"maxLength":5})",
    R"({"type":"string","minLength":250})",
    R"({"type":"number"})",
    R"({"type":"number","minimum":-3,"maximum":12})",
    R"({"type":"integer","minimum":-7,"exclusiveMaximum":1234})",
    R"({"type":["integer","null","boolean","string"],"maxLength":2,"minimum":5})",
    R"({"enum":["red","traffic \"light\"",null,1.5,-3,true,"\u4e2d\u6587\n",[1,{"a":"\\"}]]})",
    R"({"enum":["a",1,null],"type":["string","null"]})",
    R"({"const":{"a":[1,"x"]},"description":"a constant"})",
    R"({"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":4})",
    R"({"type":"array","items":{"type":"integer"}})",
    R"({"type":"array","items":false})",
    R"({"type":"object"})",
    R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}}})",
    R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"},
        "d":{"type":"null"}},"required":["c","b"],"additionalProperties":false})",
    R"({"type":"object","properties":{"q\"uote\\":{"type":"boolean"},"\u00e9\n":{"type":"boolean"}},
        "required":["q\"uote\\","\u00e9\n"]})",
    R"({"anyOf":[{"type":"string","maxLength":4},{"type":"array","items":{"type":"string","maxLength":2}}]})",
    R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"car"},"plate":{"type":"string","maxLength":8}},
                  "required":["kind"]},
                 {"type":"object","properties":{"kind":{"enum":["bus","tram"]},"line":{"type":"integer"}},
                  "required":["kind","line"]},{"type":"null"}]})",
    R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer","maximum":9,
        "minimum":0},"next":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":2}},"required":["v"]}}})",
    R"({"type":"array","items":{"$ref":"#"},"maxItems":3})",
    R"({"definitions":{"a":{"anyOf":[{"$ref":"#/definitions/b"},{"type":"null"}]},
        "b":{"type":"array","items":{"$ref":"#/definitions/a"},"minItems":1,"maxItems":2}},
        "$ref":"#/definitions/b"})",
};

// Breaks when an answer that a model is held to is no JSON, or none that its schema accepts.
TEST_F(JsonSchemaTest, WhateverFollowsTheGrammarSatisfiesTheSchema) {
  for (const std::string schema : kSchemas) {
    const auto made = grammar(schema);
    const auto rules = parsed(schema);
    const SchemaCheck check(json_parser_get_root(rules.get()));
    for (unsigned seed = 0; seed < 40; ++seed) {
      const auto text = random_text(vocabulary_, *made, seed);
      ASSERT_TRUE(text) << "no end of " << schema;
      EXPECT_TRUE(is_utf8(*text)) << schema;
      EXPECT_TRUE(are_json_words(*text)) << *text;
      const auto value = parsed(*text);
      EXPECT_TRUE(check.satisfies(json_parser_get_root(value.get()))) << *text << "\nfor " << schema;
    }
  }
}

// The check of the test above must be able to fail.
TEST(SchemaCheck, RefusesWhatASchemaDoesNotAccept) {
  const std::pair<const char *, const char *> cases[] = {
      {R"({"type":"string","maxLength":1})", R"("ab")"},
      {R"({"type":["integer","null"],"maximum":3})", "4"},
      {R"({"type":"array","items":{"type":"null"}})", "[null,1]"},
      {R"({"type":"object","properties":{"a":{"type":"null"}}})", R"({"b":null})"},
      {R"({"type":"object","properties":{"a":{"type":"null"}},"required":["a"]})", "{}"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "1"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"enum":[1,"x"]}}})", R"("y")"},
  };
  for (const auto &[schema, text] : cases) {
    const auto rules = parsed(schema);
    const auto value = parsed(text);
    EXPECT_FALSE(SchemaCheck(json_parser_get_root(rules.get())).satisfies(json_parser_get_root(value.get())))
        << text;
  }
  for (const char *no_json : {"01", ".5", "1.", R"("\q")", "[nul]", "+1", "1 2"})
    EXPECT_FALSE(are_json_words(no_json)) << no_json;
}

struct Exactly {
  const char *schema;
  std::vector<const char *> takes;
  std::vector<const char *> refuses;
};

// Breaks when bounds are off by one, or a grammar is narrower than it says.
TEST_F(JsonSchemaTest, BoundsAreExact) {
  const Exactly cases[] = {
      {R"({"type":"integer"})",
       {"0", "-1", "999999999999999"},
       {"-0", "01", "1.0", "1e2", "1000000000000000", ""}},
      {R"({"type":"integer","minimum":0,"maximum":255})",
       {"0", "9", "10", "99", "100", "199", "249", "255"},
       {"256", "-1", "00", "300", "1000"}},
      {R"({"type":"integer","minimum":-120.5,"exclusiveMaximum":-7})",
       {"-8", "-99", "-120"},
       {"-7", "-121", "8", "0"}},
      {R"({"type":"integer","exclusiveMinimum":999})", {"1000", "5000000"}, {"999", "-1000"}},
      {R"({"type":"integer","minimum":-9e99,"maximum":1e99})", {"999999999999999"}, {"1000000000000000"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "1", "0.999", "1.000", "0.5"},
       {"1.001", "-0.1", "2", "1e0"}},
      {R"({"type":"number","maximum":-2})", {"-2", "-2.5", "-2.0"}, {"-1.9", "2", "-0"}},
      {R"({"type":"number"})", {"-0.5", "12e+9", "1E-5"}, {".5", "1.", "01", "+1", "1e100", "NaN"}},
      {R"({"type":"string","minLength":1,"maxLength":2})",
       {R"("a")", R"("\n\"")", R"("ä中")", R"("😀a")"},
       {R"("")", R"("abc")", R"("a)", R"("\u0041")", "\"\n\"", "\"\x01\"", "\"\x7F\""}},
      {R"({"type":"string","maxLength":0})", {R"("")"}, {R"("a")"}},
      {R"({"type":"string","format":"date"})",
       {R"("2024-02-29")", R"("2000-02-29")", R"("2023-12-31")"},
       {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("2023-13-01")", R"("2023-00-10")"}},
      {R"({"type":"string","format":"time"})",
       {R"("23:59:59Z")", R"("00:00:00.25+01:30")"},
       {R"("24:00:00Z")", R"("12:60:00Z")", R"("12:00:00")"}},
      {R"({"type":"string","format":"date-time"})",
       {R"("2024-02-29T12:00:00Z")"},
       {R"("2024-02-29 12:00:00Z")"}},
      {R"({"type":"array","items":{"type":"null"},"minItems":1,"maxItems":2})",
       {"[null]", "[null,null]", "[null, null]"},
       {"[]", "[null,null,null]", "[ null]", "[null,  null]", "[null,]"}},
      {R"({"type":"array","items":{"type":"null"},"maxItems":0})", {"[]"}, {"[null]"}},
      {R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"required":["b"]})",
       {R"({"b":2})", R"({"a": 1, "b": 2, "c": 3})", R"({"a":1,"b":2})", R"({"b":2,"c":3})"},
       {"{}", R"({"a":1})", R"({"b":2,"a":1})", R"({"b":2,})", R"({"b":2,"b":2})", R"({"b":2,"d":1})"}},
      {R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2}}})",
       {"{}", R"({"a":1})", R"({"b":2})"},
       {R"({,"b":2})", R"({"a":1"b":2})"}},
      {R"({"type":"object","properties":{"a":false,"b":{"const":2}}})", {"{}", R"({"b":2})"}, {R"({"a":1})"}},
      // One inside the other 8 times: the root leads to itself.
      {R"({"type":"array","items":{"$ref":"#"}})", {"[]", "[[[[[[[[[]]]]]]]]]"}, {"[[[[[[[[[[]]]]]]]]]]"}},
  };
  for (const auto &exactly : cases) {
    const auto made = grammar(exactly.schema);
    for (const char *text : exactly.takes)
      EXPECT_TRUE(takes(vocabulary_, *made, text)) << text << " for " << exactly.schema;
    for (const char *text : exactly.refuses)
      EXPECT_FALSE(takes(vocabulary_, *made, text)) << text << " for " << exactly.schema;
  }
}

struct Refused {
  std::string schema;
  StatusKind kind;
  const char *words;  // in the sentence
};

// Breaks when a schema is taken for less than it says, or refused without a word on what to change.
TEST_F(JsonSchemaTest, TheRestIsRefusedWithASentence) {
  const auto unsupported = StatusKind::unsupported;
  const auto wrong = StatusKind::invalid_argument;
  const auto corrupt = StatusKind::corrupt;
  const Refused cases[] = {
      {R"({"type":"object","properties":{"plate":{"type":"string","pattern":"x"}}})", unsupported,
       R"("pattern" at /properties/plate is not supported; supported there are type, minLength, maxLength, format)"},
      {R"({"type":"integer","multipleOf":2})", unsupported, R"("multipleOf" at / is not)"},
      {R"({"type":"integer","maxLength":2})", unsupported, "maxLength"},
      {R"({"type":"number","minimum":0.5})", unsupported, "whole number"},
      {R"({"type":"number","exclusiveMinimum":0})", unsupported, "exclusiveMinimum"},
      {R"({"type":"string","format":"email"})", unsupported, "date-time"},
      {R"({"type":"string","format":"date","maxLength":3})", unsupported, "maxLength"},
      {R"({"type":"string","minLength":1001})", unsupported, "1000"},
      {R"({"type":"array"})", unsupported, "items"},
      {R"({"type":"array","items":[{"type":"null"}]})", wrong, "/items is not an object"},
      {R"({"type":"array","items":{"type":"null"},"uniqueItems":true})", unsupported, "uniqueItems"},
      {R"({"type":"object","patternProperties":{}})", unsupported, "patternProperties"},
      {R"({"allOf":[{"type":"null"}]})", unsupported, "anyOf"},
      {R"({"enum":[1],"minimum":0})", unsupported, "minimum"},
      {R"({"$ref":"#/$defs/a","type":"null","$defs":{"a":{"type":"null"}}})", unsupported, "type"},
      {R"({"$ref":"#/$defs/a"})", unsupported, "#/$defs/a"},
      {R"({"$ref":"https://example.org/x.json"})", unsupported, "example.org"},
      {R"({"$ref":7})", unsupported, "$ref"},
      {R"({"type":"array","items":{"type":"null","$defs":{}}})", unsupported, "$defs"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", unsupported, "alternatives 0 and 1"},
      {R"({"oneOf":[{"const":1},{"enum":[2,1.0]}]})", unsupported, "might both"},
      {"true", unsupported, "give it a type"},
      {"{}", unsupported, "does not say what it accepts"},
      {"false", wrong, "no value can satisfy it"},
      {R"({"enum":[]})", wrong, "enum"},
      {R"({"enum":[1,2],"type":"string"})", wrong, "enum"},
      {R"({"anyOf":[]})", wrong, "anyOf"},
      {R"({"anyOf":[false,false]})", wrong, "no value can satisfy it"},
      {R"({"type":"array","items":{"type":"null"},"minItems":3,"maxItems":2})", wrong, "minItems"},
      {R"({"type":"array","items":false,"minItems":1})", wrong, "no value can satisfy it"},
      {R"({"type":"string","minLength":3,"maxLength":2})", wrong, "minLength"},
      {R"({"type":"string","maxLength":-1})", wrong, "maxLength"},
      {R"({"type":"string","maxLength":"2"})", wrong, "maxLength"},
      {R"({"type":"integer","minimum":3,"maximum":2})", wrong, "bounds"},
      {R"({"type":"integer","minimum":0.2,"maximum":0.8})", wrong, "bounds"},
      {R"({"type":"integer","exclusiveMinimum":true})", wrong, "exclusiveMinimum"},
      {R"({"type":"integer","minimum":1000000000000000})", unsupported, "15 digits"},
      {R"({"type":"object","properties":{"a":{"type":"null"}},"required":["b"]})", wrong,
       "\"b\", which is not"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})", wrong, "no value can satisfy it"},
      {R"({"type":"object","properties":[],"required":[]})", wrong, "properties"},
      {R"({"type":"object","properties":{},"required":"a"})", wrong, "required"},
      {R"({"type":"object","properties":{"a":3}})", wrong, "/properties/a"},
      {R"({"type":"thing"})", wrong, "thing"},
      {R"({"type":[]})", wrong, "type"},
      {R"({"type":["null",7]})", wrong, "type"},
      {R"({"$ref":"#"})", wrong, "no value can satisfy it"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", wrong, "without end"},
      {R"({"const":1e999})", unsupported, "too large"},
      {R"({"const":99999999999999999999})", corrupt, "digits"},
      {R"({"const":"a\u0000b"})", corrupt, "u0000"},
      {R"({"const":"a\udc00b"})", corrupt, "Unicode"},
      {"", corrupt, "json-schema: "},
      {"{", corrupt, "json-schema: "},
      {R"({"type":"null"}})", corrupt, "json-schema: "},
      {R"({"type" "null"})", corrupt, "valid JSON"},
      {"{\"type\":\"null\0\"}" + std::string(1, '\0'), corrupt, "json-schema: "},
      {"{\"type\":\"\xFF\"}", corrupt, "UTF-8"},
      {"7", wrong, "not an object"},
      {std::string(100000, '['), StatusKind::exhausted, "bytes"},
      {std::string(60000, '['), corrupt, "deep"},
      {R"({"a\nb)" + std::string(3000, 'x') + R"(":1,"type":"null"})", unsupported, "a bxxx"},
  };
  for (const auto &refused : cases) {
    const auto gbnf = grammar_of_json_schema(refused.schema);
    ASSERT_FALSE(gbnf.ok()) << refused.schema;
    EXPECT_EQ(gbnf.status().kind(), refused.kind) << refused.schema << "\n" << gbnf.status().message();
    EXPECT_NE(gbnf.status().message().find(refused.words), std::string::npos) << refused.schema << "\n"
                                                                              << gbnf.status().message();
    EXPECT_TRUE(gbnf.status().message().starts_with("json-schema: "));
    EXPECT_LT(gbnf.status().message().size(), 400U);
  }
}

// Breaks when a schema of many references, alternatives or properties takes the process with it.
TEST_F(JsonSchemaTest, LargeSchemasAreTakenOrRefusedInBoundedTime) {
  std::string chain;   // each refers to the next one twice
  std::string listed;  // alternatives that all lead to all
  for (int i = 0; i < 700; ++i) {
    const auto next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + R"("})";
    chain += R"("d)" + std::to_string(i) + R"(":{"anyOf":[)" + next + "," + next + "]},";
    if (i > 0) listed += ',';
    listed.append(R"({"type":"array","items":{"$ref":"#"},"maxItems":)")
        .append(std::to_string(i + 1))
        .append("}");
  }
  std::string properties;
  for (int i = 0; i < 2000; ++i)
    properties += (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + R"(":{"type":"null"})";
  for (const auto &schema : {
           R"({"$ref":"#/$defs/d0","$defs":{)" + chain + R"("d700":{"type":"null"}}})",
           R"({"anyOf":[)" + listed + "]}",
           R"({"type":"object","properties":{)" + properties + "}}",
       }) {
    const auto gbnf = grammar_of_json_schema(schema);
    const auto status = gbnf.ok() ? GrammarSteps::of(gbnf.value()).status() : gbnf.status();
    EXPECT_TRUE(status.ok() || status.kind() == StatusKind::exhausted) << status.message();
  }
}

// Breaks when a schema that is cut off or changed anywhere crashes us, or yields a grammar that llama.cpp
// would not survive (run with the sanitizers).
TEST_F(JsonSchemaTest, DamageAnywhereIsSurvived) {
  for (const std::string schema : kSchemas)
    for (std::size_t i = 0; i < schema.size(); ++i) {
      (void)grammar_of_json_schema(schema.substr(0, i));
      for (const char c : {'"', '{', ']', '\\', '0', ',', '\xFF'}) {
        auto damaged = schema;
        damaged[i] = c;
        const auto gbnf = grammar_of_json_schema(damaged);
        EXPECT_TRUE(!gbnf.ok() || GrammarSteps::of(gbnf.value()).ok()) << damaged;
      }
    }
}

}  // namespace
}  // namespace saccade
