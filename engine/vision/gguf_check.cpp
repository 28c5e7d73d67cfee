#include "vision/gguf_check.h"

#include <gguf.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <unordered_set>

#include "vision/llama_log.h"

namespace saccade {
namespace {

struct GgufDeleter {
  void operator()(gguf_context *context) const { gguf_free(context); }
};
using Gguf = std::unique_ptr<gguf_context, GgufDeleter>;

Status corrupt(const std::string &path, const std::string &what) {
  return {StatusKind::corrupt,
          "cannot load model \"" + path + "\": " + what + ". Download it again or check its sha256."};
}

Status check_readable(const std::string &path) {
  if (path.empty()) return {StatusKind::invalid_argument, "no model file was given"};
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return {StatusKind::invalid_argument,
            "cannot load model \"" + path + "\": it is a folder; name the .gguf file in it"};
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return {StatusKind::not_found, "cannot open model \"" + path +
                                       "\": " + std::strerror(errno ? errno : ENOENT) +
                                       ". Check the path and its permissions."};
  char magic[4] = {};
  file.read(magic, sizeof magic);
  if (file.gcount() != sizeof magic || std::memcmp(magic, GGUF_MAGIC, sizeof magic) != 0)
    return corrupt(path, "it is not a GGUF file");
  return {};
}

// The first tensor that reaches past the end of the file, if any.
Status check_extents(const Gguf &gguf, const std::string &path) {
  std::error_code error;
  const auto file_size = std::filesystem::file_size(path, error);
  if (error) return corrupt(path, "its size cannot be read (" + error.message() + ")");
  const auto data_offset = gguf_get_data_offset(gguf.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); ++i) {
    const auto offset = gguf_get_tensor_offset(gguf.get(), i);
    const auto size = gguf_get_tensor_size(gguf.get(), i);
    const bool inside = offset <= file_size && size <= file_size && data_offset + offset + size <= file_size;
    if (inside) continue;
    const auto start = data_offset + offset;
    const auto found = file_size > start ? file_size - start : 0;
    return corrupt(path, "file ends inside tensor " + std::string(gguf_get_tensor_name(gguf.get(), i)) +
                             " (expected " + std::to_string(size) + " bytes, found " + std::to_string(found) +
                             ")");
  }
  return {};
}

Result<Gguf> open_checked(const std::string &path) {
  if (auto status = check_readable(path); !status.ok()) return status;
  start_llama_once();
  forget_complaints();
  Gguf gguf(gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
  if (!gguf) return corrupt(path, "its header is damaged (" + last_complaint() + ")");
  if (gguf_get_n_tensors(gguf.get()) == 0)
    return Status{StatusKind::unsupported,
                  "cannot load model \"" + path + "\": it holds no weights (a vocabulary only?)"};
  if (auto status = check_extents(gguf, path); !status.ok()) return status;
  return gguf;
}

std::string string_of(const Gguf &gguf, const char *key) {
  const auto id = gguf_find_key(gguf.get(), key);
  if (id < 0 || gguf_get_kv_type(gguf.get(), id) != GGUF_TYPE_STRING) return {};
  return gguf_get_val_str(gguf.get(), id);
}

bool flag_of(const Gguf &gguf, const char *key) {
  const auto id = gguf_find_key(gguf.get(), key);
  return id >= 0 && gguf_get_kv_type(gguf.get(), id) == GGUF_TYPE_BOOL && gguf_get_val_bool(gguf.get(), id);
}

// llama.cpp aborts on a vocabulary in which a token stands twice. Empty ones it tells apart itself.
Status check_vocabulary(const Gguf &gguf, const std::string &path) {
  if (gguf_find_key(gguf.get(), "tokenizer.ggml.model") < 0) return corrupt(path, "it has no vocabulary");
  const auto id = gguf_find_key(gguf.get(), "tokenizer.ggml.tokens");
  if (id < 0 || gguf_get_kv_type(gguf.get(), id) != GGUF_TYPE_ARRAY ||
      gguf_get_arr_type(gguf.get(), id) != GGUF_TYPE_STRING)
    return corrupt(path, "its vocabulary has no tokens");
  const auto count = gguf_get_arr_n(gguf.get(), id);
  std::unordered_set<std::string_view> seen;
  seen.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view token = gguf_get_arr_str(gguf.get(), id, i);
    if (!token.empty() && !seen.insert(token).second)
      return corrupt(path, "its vocabulary has the token \"" + std::string(token) + "\" twice");
  }
  return {};
}

}  // namespace

Status check_text_model(const std::string &path) {
  auto opened = open_checked(path);
  if (!opened.ok()) return opened.status();
  const Gguf gguf = std::move(opened).value();
  const auto architecture = string_of(gguf, "general.architecture");
  if (architecture == "clip")
    return {
        StatusKind::invalid_argument,
        "cannot use \"" + path +
            "\" as the text model: it is a projector. Give it as mmproj, and the language model as model."};
  if (architecture.empty()) return corrupt(path, "it does not name its architecture");
  return check_vocabulary(gguf, path);
}

Status check_projector(const std::string &path) {
  if (path.empty())
    return {StatusKind::invalid_argument,
            "no projector was given: a text model alone cannot see. Set mmproj to the mmproj .gguf that "
            "belongs to the model."};
  auto opened = open_checked(path);
  if (!opened.ok()) return opened.status();
  const Gguf gguf = std::move(opened).value();
  const auto architecture = string_of(gguf, "general.architecture");
  if (architecture != "clip")
    return {StatusKind::invalid_argument,
            "cannot use \"" + path + "\" as mmproj: it is a " +
                (architecture.empty() ? "foreign" : "\"" + architecture + "\"") +
                " model, not a vision projector"};
  if (!flag_of(gguf, "clip.has_vision_encoder"))
    return {StatusKind::unsupported, "cannot use \"" + path + "\" as mmproj: it has no vision encoder"};
  return {};
}

}  // namespace saccade
