// What left the device, for whoever has to account for it: one line of JSON per upload.
//
//   {"time":"2026-11-22T14:30:05.250Z","endpoint":"http://cloud:8080/v1/chat/completions","owner":"door","id":7,
//    "pictures":[{"width":512,"height":384,"bytes":31022,"sha256":"9f…","scaled":true,"cropped":false,
//    "faces_blurred":2}],"sound":{"bytes":96044,"sha256":"4c…"},"bytes":127066,"outcome":"answered"}
//
// "faces_blurred" is null where faces were not looked for; without a sound there is no "sound". Keys never
// stand in it, the endpoint's query neither, the question only when that was asked for. Lines that could not
// be written are counted in the next one that can ("lines_lost").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "base/time.h"
#include "offload/sha256.h"

namespace saccade {

struct AuditPicture {
  int width = 0;  // pixels, as it left
  int height = 0;
  std::size_t bytes = 0;
  Sha256 sha256{};  // of these bytes
  bool scaled = false;
  bool cropped = false;
  std::optional<int> faces_blurred;  // nothing: not looked for
};

struct AuditSound {
  std::size_t bytes = 0;  // of the WAV file
  Sha256 sha256{};        // of these bytes
};

struct AuditRecord {
  WallTime time{};
  std::string endpoint;  // as configured; its query is left out here
  std::string owner;
  std::uint64_t id = 0;
  std::vector<AuditPicture> pictures;
  std::optional<AuditSound> sound{};
  std::string question;
  std::string outcome;  // "answered", or why not; holds no key
};

struct AuditSettings {
  std::string path;
  std::size_t max_bytes = std::size_t{10} << 20;  // of the file; as many again in the one before, PATH.1
  bool with_questions = false;
};

// The record as it stands in the file, with its line break. Pure function.
std::string audit_line(const AuditRecord &record, bool with_question, std::uint64_t lines_lost = 0);

// May be used from any thread; one process per file. Its calls wait for the disk.
class AuditLog {
 public:
  // Makes the file, which only its owner may read (0600). invalid_argument: it is no file, others may read
  // it, or max-bytes is below 4096; unavailable: it cannot be written.
  static Result<AuditLog> open(AuditSettings settings);

  // Errors (exhausted: the disk is full; unavailable) are given once per failure; while it goes on, further
  // lines are only counted. No half line is left.
  Status append(const AuditRecord &record);

 private:
  explicit AuditLog(AuditSettings settings) : settings_(std::move(settings)) {}
  Status reopen();
  Status rotate();
  Status write(const std::string &line);
  Status failed(const char *what) const;  // with errno's reason

  AuditSettings settings_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // guards what follows and the file
  FileDescriptor file_;
  std::size_t size_ = 0;  // bytes in the file
  std::uint64_t lines_lost_ = 0;
};

}  // namespace saccade
