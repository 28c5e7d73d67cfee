// A folder of private files that belongs to one process at a time, and whose files are there as a whole or
// not at all, whatever moment the power fails in. Internal to Spool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"

namespace saccade {

// Names are plain file names that the caller made up: every function works below the folder that was opened,
// also when that is renamed, and follows no link in it. Errors name the file: exhausted (the disk is full, or
// a limit or quota is reached), not_found, corrupt (the disk cannot read it), unavailable (all else).
class SpoolFolder {
 public:
  // Makes the folder (0700) when only it is missing. unavailable: another process has it, or it cannot be
  // written; invalid_argument: others may look into it.
  static Result<SpoolFolder> open(const std::string &path);

  Result<std::vector<std::string>> names() const;  // of all files, in no order

  // The parts one behind the other, as a file that only its owner may read. It is on the disk on return;
  // after an error it is not there. No file has that name yet.
  Status write(const std::string &name, std::span<const std::span<const std::uint8_t>> parts) const;
  // At most `most` bytes from `first` on; fewer where the file ends.
  Result<std::vector<std::uint8_t>> read(const std::string &name, std::size_t first, std::size_t most) const;
  Result<std::size_t> size_of(const std::string &name) const;
  // Both are on the disk on return. What is not there is removed already.
  Status rename(const std::string &from, const std::string &to) const;
  Status remove(const std::string &name) const;

 private:
  SpoolFolder(std::string path, FileDescriptor folder, FileDescriptor lock)
      : path_(std::move(path)), folder_(std::move(folder)), lock_(std::move(lock)) {}
  Status failed(const char *what, const std::string &name) const;  // with errno's reason
  Status write_new(const std::string &name, std::span<const std::span<const std::uint8_t>> parts) const;
  Status sync() const;

  std::string path_;
  FileDescriptor folder_;
  FileDescriptor lock_;  // held as long as it is open
};

}  // namespace saccade
