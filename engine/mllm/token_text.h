// The text of one token. Internal to mllm.
#pragma once

#include <llama.h>

#include <cstdint>
#include <string>

namespace saccade {

// What people see of a token of the vocabulary: nothing of a control token. Not always whole UTF-8.
std::string text_of_token(const llama_vocab *vocabulary, std::int32_t token);

}  // namespace saccade
