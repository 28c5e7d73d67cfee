#include "vision/tower/projector_file.h"

#include <ggml.h>
#include <gguf.h>

#include <cstring>

namespace saccade::tower {
namespace {

struct GgufFree {
  void operator()(gguf_context *p) const { gguf_free(p); }
};
struct GgmlFree {
  void operator()(ggml_context *p) const { ggml_free(p); }
};

}  // namespace

struct ProjectorFile::Impl {
  std::unique_ptr<gguf_context, GgufFree> header;
  std::unique_ptr<ggml_context, GgmlFree> tensors;  // with their data

  // -1 when the key is missing or of another type.
  std::int64_t key(const std::string &name, gguf_type type) const {
    const auto id = gguf_find_key(header.get(), ("clip." + name).c_str());
    return id >= 0 && gguf_get_kv_type(header.get(), id) == type ? id : -1;
  }
};

ProjectorFile::ProjectorFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProjectorFile::~ProjectorFile() = default;
ProjectorFile::ProjectorFile(ProjectorFile &&) noexcept = default;

Result<ProjectorFile> ProjectorFile::open(const std::string &path) {
  auto impl = std::make_unique<Impl>();
  ggml_context *tensors = nullptr;
  impl->header.reset(gguf_init_from_file(path.c_str(), {false, &tensors}));
  impl->tensors.reset(tensors);
  if (!impl->header || !tensors)
    return Status{StatusKind::corrupt, "cannot read projector \"" + path + "\": download it again"};
  return ProjectorFile(std::move(impl));
}

std::optional<std::string> ProjectorFile::text(const std::string &key) const {
  const auto id = impl_->key(key, GGUF_TYPE_STRING);
  if (id < 0) return std::nullopt;
  return gguf_get_val_str(impl_->header.get(), id);
}

std::optional<int> ProjectorFile::number(const std::string &key) const {
  const auto id = impl_->key(key, GGUF_TYPE_UINT32);
  if (id < 0) return std::nullopt;
  return static_cast<int>(gguf_get_val_u32(impl_->header.get(), id));
}

std::optional<float> ProjectorFile::real(const std::string &key) const {
  const auto id = impl_->key(key, GGUF_TYPE_FLOAT32);
  if (id < 0) return std::nullopt;
  return gguf_get_val_f32(impl_->header.get(), id);
}

std::vector<float> ProjectorFile::reals(const std::string &key) const {
  const auto id = impl_->key(key, GGUF_TYPE_ARRAY);
  if (id < 0 || gguf_get_arr_type(impl_->header.get(), id) != GGUF_TYPE_FLOAT32) return {};
  const auto *data = static_cast<const float *>(gguf_get_arr_data(impl_->header.get(), id));
  return {data, data + gguf_get_arr_n(impl_->header.get(), id)};
}

bool ProjectorFile::is_true(const std::string &key) const {
  const auto id = impl_->key(key, GGUF_TYPE_BOOL);
  return id >= 0 && gguf_get_val_bool(impl_->header.get(), id);
}

std::size_t ProjectorFile::count(const std::string &tensor) const {
  const ggml_tensor *found = ggml_get_tensor(impl_->tensors.get(), tensor.c_str());
  return found ? static_cast<std::size_t>(ggml_nelements(found)) : 0;
}

std::vector<float> ProjectorFile::tensor(const std::string &name) const {
  const ggml_tensor *tensor = ggml_get_tensor(impl_->tensors.get(), name.c_str());
  if (!tensor) return {};
  std::vector<float> values(static_cast<std::size_t>(ggml_nelements(tensor)));
  if (tensor->type == GGML_TYPE_F32) {
    std::memcpy(values.data(), tensor->data, values.size() * sizeof(float));
    return values;
  }
  const auto *traits = ggml_get_type_traits(tensor->type);
  if (!traits || !traits->to_float) return {};
  traits->to_float(tensor->data, values.data(), ggml_nelements(tensor));
  return values;
}

}  // namespace saccade::tower
