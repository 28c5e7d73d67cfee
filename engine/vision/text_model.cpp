#include "vision/text_model.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <thread>

#include "vision/llama_log.h"

namespace saccade {
namespace {

// With the project's own 5-million-parameter pair on 2 cores beside one busy process, a second thread made an
// encode thirty times slower (124 ms with one thread, 3.8 to 4.3 s with two).
constexpr std::uint64_t kSharedStepsPay = 50'000'000;  // parameters of the text model

}  // namespace

Result<LlamaModelHandle> load_text_model(const std::string &path) {
  start_llama_once();
  forget_complaints();
  LlamaModelHandle model(llama_model_load_from_file(path.c_str(), llama_model_default_params()));
  if (!model)
    return Status{StatusKind::corrupt, "cannot load model \"" + path + "\": " + last_complaint() +
                                           ". Download it again or check its sha256."};
  if (!llama_model_has_decoder(model.get()) || llama_model_is_diffusion(model.get()))
    return Status{StatusKind::unsupported,
                  "cannot use \"" + path + "\": it does not generate text from left to right"};
  return model;
}

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int threads_for(const llama_model *model, int wanted) {
  if (wanted > 0) return wanted;
  return llama_model_n_params(model) < kSharedStepsPay ? 1 : usable_cores();
}

std::string canonical_path(const std::string &path) {
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(path, error);
  return error ? path : resolved.string();
}

}  // namespace saccade
