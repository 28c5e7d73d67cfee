// llama.cpp says why something failed only in its log. It is taken off stderr and the last complaint kept.
// Internal to vision and mllm.
#pragma once

#include <string>

namespace saccade {

// Starts llama.cpp's backend and takes over its log; once per process, from any thread.
void start_llama_once();

// Forgets what this thread heard so far.
void forget_complaints();

// The last complaint that was logged on this thread since then, without a full stop; says so when there was
// none.
std::string last_complaint();

}  // namespace saccade
