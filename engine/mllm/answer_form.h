// What an answer may look like.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "mllm/grammar.h"
#include "vision/model_pair.h"

namespace saccade {

// At most one of them; both empty = any words.
struct AnswerForm {
  std::string
      json_schema;  // the subset that json_schema.h names: its text, which starts with {, or a file's path
  std::string grammar;  // GBNF with a rule `root`: its text, which has ::= in it, or a file's path
};

// Null for any words. Errors: not_found (a file), invalid_argument (both, or neither can be read as what it
// is meant to be), unsupported (outside the subset).
Result<std::shared_ptr<const Grammar>> grammar_of(std::shared_ptr<ModelPair> pair, const AnswerForm &form);

}  // namespace saccade
