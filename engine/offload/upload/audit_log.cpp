#include "offload/upload/audit_log.h"

#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/glib_pointer.h"
#include "offload/cloud/endpoint.h"

namespace saccade {

namespace {

constexpr std::size_t kLeastBytes = 4096;
constexpr mode_t kPrivate = 0600;
constexpr mode_t kOthers = 0077;

// As RFC 3339 has it, in UTC, to the millisecond.
std::string text_of(WallTime time) {
  using std::chrono::floor;
  const auto seconds = floor<std::chrono::seconds>(time);
  const auto milliseconds = floor<std::chrono::milliseconds>(time - seconds).count();
  const std::time_t count = seconds.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&count, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(milliseconds));
  return text;
}

void add(JsonBuilder *builder, const char *name, const std::string &value) {
  const CString valid(g_utf8_make_valid(value.data(), static_cast<gssize>(value.size())));
  json_builder_set_member_name(builder, name);
  json_builder_add_string_value(builder, valid.get());
}

void add(JsonBuilder *builder, const char *name, std::uint64_t value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, static_cast<gint64>(value));
}

void add_flag(JsonBuilder *builder, const char *name, bool value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, static_cast<gboolean>(value));
}

void add_picture(JsonBuilder *builder, const AuditPicture &picture) {
  json_builder_begin_object(builder);
  add(builder, "width", static_cast<std::uint64_t>(picture.width));
  add(builder, "height", static_cast<std::uint64_t>(picture.height));
  add(builder, "bytes", picture.bytes);
  add(builder, "sha256", hex_of(picture.sha256));
  add_flag(builder, "scaled", picture.scaled);
  add_flag(builder, "cropped", picture.cropped);
  if (picture.faces_blurred) {
    add(builder, "faces_blurred", static_cast<std::uint64_t>(*picture.faces_blurred));
  } else {
    json_builder_set_member_name(builder, "faces_blurred");
    json_builder_add_null_value(builder);
  }
  json_builder_end_object(builder);
}

void add_sound(JsonBuilder *builder, const AuditSound &sound) {
  json_builder_set_member_name(builder, "sound");
  json_builder_begin_object(builder);
  add(builder, "bytes", sound.bytes);
  add(builder, "sha256", hex_of(sound.sha256));
  json_builder_end_object(builder);
}

StatusKind kind_of(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? StatusKind::exhausted
                                                              : StatusKind::unavailable;
}

}  // namespace

std::string audit_line(const AuditRecord &record, bool with_question, std::uint64_t lines_lost) {
  const ObjectPointer<JsonBuilder> builder(json_builder_new());
  json_builder_begin_object(builder.get());
  add(builder.get(), "time", text_of(record.time));
  add(builder.get(), "endpoint", url_for_people(record.endpoint));
  add(builder.get(), "owner", record.owner);
  add(builder.get(), "id", record.id);
  json_builder_set_member_name(builder.get(), "pictures");
  json_builder_begin_array(builder.get());
  std::uint64_t bytes = 0;
  for (const auto &picture : record.pictures) {
    add_picture(builder.get(), picture);
    bytes += picture.bytes;
  }
  json_builder_end_array(builder.get());
  if (record.sound) {
    add_sound(builder.get(), *record.sound);
    bytes += record.sound->bytes;
  }
  add(builder.get(), "bytes", bytes);
  if (with_question) add(builder.get(), "question", record.question);
  add(builder.get(), "outcome", record.outcome);
  if (lines_lost > 0) add(builder.get(), "lines_lost", lines_lost);
  json_builder_end_object(builder.get());
  JsonNode *root = json_builder_get_root(builder.get());
  const CString text(json_to_string(root, FALSE));
  json_node_unref(root);
  return std::string(text.get()) + "\n";
}

Status AuditLog::failed(const char *what) const {
  const int error = errno;
  std::string sentence = "cannot ";
  sentence.append(what).append(" the audit log \"").append(settings_.path).append("\": ");
  sentence.append(std::strerror(error));
  sentence += kind_of(error) == StatusKind::exhausted ? "; make room there"
                                                      : "; its folder must be there and writable";
  return {kind_of(error), std::move(sentence)};
}

Result<AuditLog> AuditLog::open(AuditSettings settings) {
  if (settings.max_bytes < kLeastBytes)
    return Status(StatusKind::invalid_argument, "an audit log needs a max-bytes of 4096 at least");
  AuditLog log(std::move(settings));
  if (auto opened = log.reopen(); !opened.ok()) return opened;
  return log;
}

Status AuditLog::reopen() {
  file_.reset(::open(settings_.path.c_str(),
                     O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kPrivate));
  struct stat about {};
  if (!file_.valid() || ::fstat(file_.get(), &about) != 0) return failed("open");
  const bool is_private = S_ISREG(about.st_mode) && (about.st_mode & kOthers) == 0;
  if (!is_private) {
    file_.reset();
    return {StatusKind::invalid_argument,
            "the audit log \"" + settings_.path +
                "\" must be a file that only its owner may read; chmod 600 makes it one"};
  }
  size_ = static_cast<std::size_t>(about.st_size);
  // The line that a process was killed in stays by itself.
  char last = '\n';
  if (size_ > 0 && ::pread(file_.get(), &last, 1, about.st_size - 1) != 1) return failed("read");
  return last == '\n' ? Status{} : write("\n");
}

Status AuditLog::rotate() {
  const auto before = settings_.path + ".1";
  if (::rename(settings_.path.c_str(), before.c_str()) != 0 && errno != ENOENT) return failed("rotate");
  file_.reset();
  size_ = 0;
  return {};
}

Status AuditLog::append(const AuditRecord &record) {
  const std::lock_guard lock(*mutex_);
  const auto line = audit_line(record, settings_.with_questions, lines_lost_);
  Status status;
  if (line.size() > settings_.max_bytes) {
    status = {StatusKind::exhausted, "a line of the audit log \"" + settings_.path + "\" has " +
                                         std::to_string(line.size()) + " bytes, more than its max-bytes"};
  } else if (size_ + line.size() > settings_.max_bytes) {
    status = rotate();
  }
  if (status.ok() && !file_.valid()) status = reopen();
  if (status.ok()) status = write(line);
  if (status.ok()) {
    lines_lost_ = 0;
    return status;
  }
  return ++lines_lost_ == 1 ? status : Status{};
}

Status AuditLog::write(const std::string &line) {
  std::size_t written = 0;
  while (written < line.size()) {
    const auto n = ::write(file_.get(), line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto status = failed("write");
      (void)!::ftruncate(file_.get(), static_cast<off_t>(size_));  // no half line
      return status;
    }
    written += static_cast<std::size_t>(n);
  }
  size_ += written;
  return {};
}

}  // namespace saccade
