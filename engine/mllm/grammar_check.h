// Keeps from llama.cpp the grammars that it would not survive. Internal to mllm.
#pragma once

#include <string_view>

#include "base/status.h"

namespace saccade {

// Ok when llama.cpp can take the grammar, and every step through it is bounded. It asks for more than
// llama.cpp does, because that (v0.5.0) runs out of stack on 60,000 parentheses or on 100,000 rules that
// begin with one another, out of memory on {5,3} and on a left recursion behind a rule that is empty by way
// of another, and for hours where each of 30 rules begins with the next one twice. Errors: invalid_argument
// (with the line, and what is wrong there), exhausted (it is too large).
Status check_grammar(std::string_view gbnf);

}  // namespace saccade
