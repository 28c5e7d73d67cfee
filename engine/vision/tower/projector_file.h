// A projector's GGUF file as numbers: its settings and its tensors, whatever type they are stored in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace saccade::tower {

// Not thread-safe. The file has passed check_projector().
class ProjectorFile {
 public:
  static Result<ProjectorFile> open(const std::string &path);
  ~ProjectorFile();
  ProjectorFile(ProjectorFile &&) noexcept;

  // Keys without their "clip." at the beginning.
  std::optional<std::string> text(const std::string &key) const;
  std::optional<int> number(const std::string &key) const;
  std::optional<float> real(const std::string &key) const;
  std::vector<float> reals(const std::string &key) const;  // empty when there is none
  bool is_true(const std::string &key) const;

  std::size_t count(const std::string &tensor) const;  // of its numbers; 0 when there is no such tensor
  bool has(const std::string &tensor) const { return count(tensor) > 0; }
  // Dequantised, outermost dimension first; empty when there is no such tensor.
  std::vector<float> tensor(const std::string &name) const;

 private:
  struct Impl;
  explicit ProjectorFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade::tower
