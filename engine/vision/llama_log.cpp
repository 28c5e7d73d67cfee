#include "vision/llama_log.h"

#include <llama.h>
#include <mtmd.h>

namespace saccade {
namespace {

thread_local std::string complaint;

void keep_complaints(ggml_log_level level, const char *text, void *) {
  if (level == GGML_LOG_LEVEL_ERROR && text) complaint = text;
}

}  // namespace

void start_llama_once() {
  static const bool started = [] {
    llama_log_set(keep_complaints, nullptr);
    mtmd_log_set(keep_complaints, nullptr);
    llama_backend_init();
    return true;
  }();
  (void)started;
}

void forget_complaints() { complaint.clear(); }

std::string last_complaint() {
  auto text = complaint;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text.empty() ? "llama.cpp gave no reason" : text;
}

}  // namespace saccade
