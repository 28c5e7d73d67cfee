// A language model on its way into memory: what pairs and drafts have in common. Internal to vision and mllm.
// Thread-safe.
#pragma once

#include <string>

#include "base/status.h"
#include "vision/llama_handles.h"

namespace saccade {

// Of a file that check_text_model() has nothing against. Takes seconds for large models. Errors: corrupt, and
// unsupported where it does not generate text from left to right.
Result<LlamaModelHandle> load_text_model(const std::string &path);

// See ModelPair::threads. wanted: as ModelFiles::threads.
int threads_for(const llama_model *model, int wanted);
int usable_cores();  // that this process may use, at least 1

// The same for all ways to name a file; as it came where the file system does not say.
std::string canonical_path(const std::string &path);

}  // namespace saccade
