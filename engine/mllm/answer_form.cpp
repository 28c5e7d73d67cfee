#include "mllm/answer_form.h"

#include <cstddef>
#include <fstream>
#include <utility>

#include "mllm/json_schema.h"

namespace saccade {
namespace {

// Far more than any schema or grammar that a model could follow.
constexpr std::size_t kLongestFile = 1 << 20;

Result<std::string> read_file(const std::string &path, const char *what) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLongestFile + 1, '\0');
  // Of a folder, too, only reading finds out.
  if (!file || !file.read(text.data(), static_cast<std::streamsize>(text.size())).eof() || file.gcount() == 0)
    return Status{
        StatusKind::not_found,
        std::string(what) + ": cannot read \"" + path +
            "\", or it is empty or larger than 1 MiB. It is taken for a file's path; a text would " +
            (std::string(what) == "grammar" ? "have ::= in it." : "start with {.")};
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

bool is_schema_text(const std::string &setting) {
  const auto first = setting.find_first_not_of(" \t\r\n");
  return first != std::string::npos && setting[first] == '{';
}

bool is_grammar_text(const std::string &setting) { return setting.find("::=") != std::string::npos; }

Result<std::string> gbnf_of(const AnswerForm &form) {
  if (!form.grammar.empty())
    return is_grammar_text(form.grammar) ? Result<std::string>(form.grammar)
                                         : read_file(form.grammar, "grammar");
  auto schema = is_schema_text(form.json_schema) ? Result<std::string>(form.json_schema)
                                                 : read_file(form.json_schema, "json-schema");
  if (!schema.ok()) return schema.status();
  return grammar_of_json_schema(schema.value());
}

}  // namespace

Result<std::shared_ptr<const Grammar>> grammar_of(std::shared_ptr<ModelPair> pair, const AnswerForm &form) {
  if (form.json_schema.empty() && form.grammar.empty()) return std::shared_ptr<const Grammar>();
  if (!form.json_schema.empty() && !form.grammar.empty())
    return Status{StatusKind::invalid_argument,
                  "json-schema and grammar are both set: an answer can follow one"};
  auto gbnf = gbnf_of(form);
  if (!gbnf.ok()) return gbnf.status();
  return Grammar::create(std::move(pair), std::move(gbnf).value());
}

}  // namespace saccade
