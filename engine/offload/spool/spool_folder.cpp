#include "offload/spool/spool_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace saccade {

namespace {

constexpr const char *kLockName = "lock";
constexpr const char *kNewName = "new.part";  // what is being written; one at a time
constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kOthers = 0077;

StatusKind kind_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return StatusKind::exhausted;
    case ENOENT: return StatusKind::not_found;
    case EIO: return StatusKind::corrupt;
    default: return StatusKind::unavailable;
  }
}

Status refused(StatusKind kind, const std::string &path, const std::string &why) {
  std::string sentence = "cannot keep segments in the folder \"";
  sentence.append(path).append("\": ").append(why);
  return {kind, std::move(sentence)};
}

struct CloseFolder {
  void operator()(DIR *folder) const { ::closedir(folder); }
};

// False with errno set.
bool write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<SpoolFolder> SpoolFolder::open(const std::string &path) {
  const auto because = [&](const char *advice) { return std::string(std::strerror(errno)) + advice; };
  if (::mkdir(path.c_str(), kPrivateFolder) != 0 && errno != EEXIST)
    return refused(kind_of(errno), path, because("; the folder above it must be there and writable"));
  FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat about {};
  if (!folder.valid() || ::fstat(folder.get(), &about) != 0)
    return refused(kind_of(errno), path, because("; name a folder that is there and yours"));
  if ((about.st_mode & kOthers) != 0)
    return refused(
        StatusKind::invalid_argument, path,
        "others may look into it, and pictures of people will lie there; make it private with chmod 700");
  FileDescriptor lock(
      ::openat(folder.get(), kLockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!lock.valid()) return refused(kind_of(errno), path, because("; it must be writable"));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return refused(StatusKind::unavailable, path,
                   errno == EWOULDBLOCK ? "another process uses it already; give each its own folder"
                                        : because("; its file system must support flock"));
  SpoolFolder opened(path, std::move(folder), std::move(lock));
  if (auto removed = opened.remove(kNewName); !removed.ok()) return removed;  // of a process that was killed
  return opened;
}

Status SpoolFolder::failed(const char *what, const std::string &name) const {
  const int error = errno;
  std::string sentence = "cannot ";
  sentence.append(what).append(" \"").append(path_).append("/").append(name).append("\": ");
  sentence.append(std::strerror(error));
  if (kind_of(error) == StatusKind::exhausted) sentence += "; make room there or give the spool fewer bytes";
  return {kind_of(error), std::move(sentence)};
}

Status SpoolFolder::sync() const { return ::fsync(folder_.get()) == 0 ? Status{} : failed("sync", "."); }

Result<std::vector<std::string>> SpoolFolder::names() const {
  // A descriptor of its own, for its place in the listing is shared by copies.
  const int fd = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseFolder> listing(fd < 0 ? nullptr : ::fdopendir(fd));
  if (!listing) {
    auto status = failed("list", ".");
    if (fd >= 0) ::close(fd);
    return status;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent *entry = ::readdir(listing.get())) names.emplace_back(entry->d_name);
  if (errno != 0) return failed("list", ".");
  return names;
}

Status SpoolFolder::write(const std::string &name,
                          std::span<const std::span<const std::uint8_t>> parts) const {
  auto status = write_new(name, parts);
  if (status.ok()) status = rename(kNewName, name);
  if (status.ok()) return status;
  // Whichever of the two it is by now: no half file and none that the caller believes not to be there.
  (void)::unlinkat(folder_.get(), kNewName, 0);
  (void)::unlinkat(folder_.get(), name.c_str(), 0);
  return status;
}

Status SpoolFolder::write_new(const std::string &name,
                              std::span<const std::span<const std::uint8_t>> parts) const {
  const FileDescriptor file(
      ::openat(folder_.get(), kNewName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!file.valid()) return failed("write", name);
  for (const auto part : parts) {
    if (!write_all(file.get(), part)) return failed("write", name);
  }
  return ::fsync(file.get()) == 0 ? Status{} : failed("write", name);
}

Result<std::vector<std::uint8_t>> SpoolFolder::read(const std::string &name, std::size_t first,
                                                    std::size_t most) const {
  const FileDescriptor file(
      ::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat about {};
  if (!file.valid() || ::fstat(file.get(), &about) != 0) return failed("read", name);
  const auto size = static_cast<std::size_t>(about.st_size);
  std::vector<std::uint8_t> bytes(first < size ? std::min(most, size - first) : 0);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n =
        ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(first + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", name);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

Result<std::size_t> SpoolFolder::size_of(const std::string &name) const {
  struct stat about {};
  if (::fstatat(folder_.get(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return failed("read", name);
  if (!S_ISREG(about.st_mode)) return Status(StatusKind::corrupt, "\"" + name + "\" is no file");
  return static_cast<std::size_t>(about.st_size);
}

Status SpoolFolder::rename(const std::string &from, const std::string &to) const {
  if (::renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str()) != 0) return failed("rename", from);
  return sync();
}

Status SpoolFolder::remove(const std::string &name) const {
  if (::unlinkat(folder_.get(), name.c_str(), 0) != 0)
    return errno == ENOENT ? Status{} : failed("remove", name);
  return sync();
}

}  // namespace saccade
