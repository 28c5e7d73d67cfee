#include "vision/model_pair.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "vision/gguf_check.h"
#include "vision/llama_handles.h"
#include "vision/llama_log.h"
#include "vision/text_model.h"

namespace saccade {
namespace {

// Asked before (ask) and after each node. Wanting only the layers' outputs keeps the graph in a few
// large pieces; a false after one of them ends the evaluation there.
bool go_on_encoding(ggml_tensor *node, bool ask, void *user) {
  auto *impl = static_cast<ModelPair::Impl *>(user);
  if (ask) return std::strncmp(node->name, "layer_out", 9) == 0;
  return !impl->turn.stopping();
}

}  // namespace

ModelPair::ModelPair(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelPair::~ModelPair() = default;

const ModelFiles &ModelPair::files() const { return impl_->files; }
int ModelPair::threads() const { return impl_->threads; }

int ModelPair::side_by_side() const {
  return impl_->files.threads > 0 ? 1 : std::max(1, usable_cores() / impl_->threads);
}

Result<std::shared_ptr<ModelPair>> ModelPair::open(const ModelFiles &files) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<ModelPair>> loaded;
  // Checked before the paths are resolved, so that a sentence names what the user typed.
  if (auto status = check_text_model(files.text); !status.ok()) return status;
  if (auto status = check_projector(files.mmproj); !status.ok()) return status;

  const ModelFiles resolved{canonical_path(files.text), canonical_path(files.mmproj),
                            std::max(files.threads, 0)};
  const auto key = resolved.text + '\n' + resolved.mmproj + '\n' + std::to_string(resolved.threads);
  const std::lock_guard lock(mutex);
  if (auto pair = loaded[key].lock()) return pair;
  auto pair = load(resolved);
  if (pair.ok()) loaded[key] = pair.value();
  return pair;
}

Result<std::shared_ptr<ModelPair>> ModelPair::load(const ModelFiles &files) {
  auto impl = std::make_unique<Impl>();
  impl->files = files;
  auto text = load_text_model(files.text);
  if (!text.ok()) return text.status();
  impl->text = std::move(text).value();
  impl->threads = threads_for(impl->text.get(), files.threads);

  forget_complaints();
  auto vision_parameters = mtmd_context_params_default();
  vision_parameters.use_gpu = true;  // steps aside by itself when ggml was built without a GPU backend
  vision_parameters.print_timings = false;
  vision_parameters.n_threads = impl->threads;
  vision_parameters.warmup = false;
  vision_parameters.cb_eval = go_on_encoding;
  vision_parameters.cb_eval_user_data = impl.get();
  impl->vision.reset(mtmd_init_from_file(files.mmproj.c_str(), impl->text.get(), vision_parameters));
  if (!impl->vision)
    return Status{StatusKind::corrupt, "cannot load projector \"" + files.mmproj + "\" for \"" + files.text +
                                           "\": " + last_complaint() +
                                           ". Check that the two files belong together."};
  if (!mtmd_support_vision(impl->vision.get()))
    return Status{StatusKind::unsupported, "projector \"" + files.mmproj + "\" cannot take pictures"};
  return std::shared_ptr<ModelPair>(new ModelPair(std::move(impl)));
}

}  // namespace saccade
