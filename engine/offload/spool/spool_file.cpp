#include "offload/spool/spool_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

namespace saccade {

namespace {

constexpr std::string_view kMagic = "SACSPOOL";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMostHeader = 2 * kMostSpoolText + 1024;

class Writer {
 public:
  template <typename Number>
  void number(Number value) {
    const auto bits = static_cast<std::make_unsigned_t<Number>>(value);
    for (std::size_t i = 0; i < sizeof bits; ++i)
      bytes_.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
  }
  void raw(std::span<const std::uint8_t> bytes) {
    bytes_.reserve(bytes_.size() + bytes.size());
    for (const std::uint8_t byte : bytes) bytes_.push_back(byte);
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    raw({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
  }
  std::span<const std::uint8_t> so_far() const { return bytes_; }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Gives zeros beyond the end and says afterwards that it did.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : left_(bytes) {}

  std::span<const std::uint8_t> raw(std::size_t size) {
    if (size > left_.size()) {
      complete_ = false;
      left_ = {};
      return {};
    }
    const auto bytes = left_.first(size);
    left_ = left_.subspan(size);
    return bytes;
  }
  template <typename Number>
  Number number() {
    std::make_unsigned_t<Number> bits = 0;
    std::size_t place = 0;
    for (const std::uint8_t byte : raw(sizeof bits))
      bits = static_cast<decltype(bits)>(bits | static_cast<decltype(bits)>(byte) << (8 * place++));
    return static_cast<Number>(bits);
  }
  std::string text() {
    const auto bytes = raw(number<std::uint32_t>());
    return {bytes.begin(), bytes.end()};
  }
  Sha256 digest() {
    Sha256 digest{};
    const auto bytes = raw(digest.size());
    std::copy(bytes.begin(), bytes.end(), digest.begin());
    return digest;
  }
  bool read_exactly_all() const { return complete_ && left_.empty(); }
  std::size_t left() const { return left_.size(); }

 private:
  std::span<const std::uint8_t> left_;
  bool complete_ = true;
};

std::span<const std::uint8_t> magic() {
  return {reinterpret_cast<const std::uint8_t *>(kMagic.data()), kMagic.size()};
}

Status corrupt(const char *what) { return {StatusKind::corrupt, what}; }

}  // namespace

std::vector<std::uint8_t> spool_media(const SegmentMedia &media) {
  Writer writer;
  writer.number(static_cast<std::uint32_t>(media.images.size()));
  const auto file = [&](std::span<const std::uint8_t> bytes) {
    writer.number(static_cast<std::uint64_t>(bytes.size()));
    writer.raw(bytes);
  };
  for (const auto &image : media.images) file(image);
  if (!media.sound.empty()) file(media.sound);
  return writer.take();
}

std::vector<std::uint8_t> spool_front(const SpoolHeader &header, std::size_t media_size) {
  Writer fields;
  fields.text(header.owner);
  fields.number(header.id);
  fields.text(header.question);
  fields.number(static_cast<std::int32_t>(header.max_tokens));
  fields.number(static_cast<std::int64_t>(header.about.start.count()));
  fields.number(static_cast<std::int64_t>(header.about.end.count()));
  fields.number(static_cast<std::int64_t>(header.created.time_since_epoch().count()));
  fields.number(static_cast<std::uint64_t>(media_size));
  fields.raw(header.content);

  Writer front;
  front.raw(magic());
  front.number(kVersion);
  front.number(static_cast<std::uint32_t>(fields.so_far().size()));
  front.raw(fields.so_far());
  front.raw(sha256_of(front.so_far()));
  return front.take();
}

Result<std::size_t> spool_front_size(std::span<const std::uint8_t> prefix) {
  Reader reader(prefix);
  const auto beginning = reader.raw(kMagic.size());
  const bool is_ours = std::equal(beginning.begin(), beginning.end(), magic().begin(), magic().end());
  const auto version = reader.number<std::uint32_t>();
  const std::size_t fields = reader.number<std::uint32_t>();
  if (!is_ours || version != kVersion || !reader.read_exactly_all() || fields > kMostHeader)
    return corrupt("it does not begin as a waiting segment does");
  return kSpoolPrefixBytes + fields + sizeof(Sha256);
}

Result<SpoolFront> read_spool_front(std::span<const std::uint8_t> front) {
  const auto size = spool_front_size(front.first(std::min(front.size(), kSpoolPrefixBytes)));
  if (!size.ok()) return size.status();
  if (front.size() != size.value()) return corrupt("it ends inside its header");
  const auto fields = front.first(front.size() - sizeof(Sha256));
  if (Reader(front.last(sizeof(Sha256))).digest() != sha256_of(fields))
    return corrupt("its header is damaged");
  Reader reader(fields.subspan(kSpoolPrefixBytes));
  SpoolFront read;
  auto &header = read.header;
  header.owner = reader.text();
  header.id = reader.number<std::uint64_t>();
  header.question = reader.text();
  header.max_tokens = reader.number<std::int32_t>();
  header.about.start = StreamTime(reader.number<std::int64_t>());
  header.about.end = StreamTime(reader.number<std::int64_t>());
  header.created = WallTime(Duration(reader.number<std::int64_t>()));
  read.media_size = static_cast<std::size_t>(reader.number<std::uint64_t>());
  header.content = reader.digest();
  if (!reader.read_exactly_all()) return corrupt("its header is damaged");
  return read;
}

Result<SegmentMedia> read_spool_media(std::span<const std::uint8_t> media, const Sha256 &content) {
  if (sha256_of(media) != content) return corrupt("its pictures or its sound are damaged");
  Reader reader(media);
  const auto file = [&] {
    const auto bytes = reader.raw(static_cast<std::size_t>(reader.number<std::uint64_t>()));
    return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  };
  const auto count = reader.number<std::uint32_t>();
  SegmentMedia read;
  for (std::uint32_t i = 0; i < count && reader.left() > 0; ++i) read.images.push_back(file());
  if (reader.left() > 0) read.sound = file();
  if (read.images.size() != count || !reader.read_exactly_all())
    return corrupt("its pictures or its sound are damaged");
  return read;
}

}  // namespace saccade
