// Looks a GGUF file over before llama.cpp loads it. llama.cpp aborts the process on several kinds of
// damage, and treats untrusted files as outside its security promise; so sizes and headers are
// checked here, and what is wrong is said in a sentence.
// Functions are reentrant; they read the file's header only, never the weights.
#pragma once

#include <string>

#include "base/status.h"

namespace saccade {

// A text model: readable, GGUF, every tensor inside the file, a decoder architecture and a vocabulary.
Status check_text_model(const std::string &path);

// A projector (mmproj): likewise, with a vision encoder in it.
Status check_projector(const std::string &path);

}  // namespace saccade
