#include "server/conversation_reader.h"

#include <utility>

#include "server/picture.h"
#include "server/wav.h"
#include "vision/resize.h"

namespace saccade {
namespace {

int tokens_of(const EncodedImage &part) {
  auto tokens = part.closing.size();
  for (const auto &piece : part.pieces)
    tokens += piece.announcement.size() + static_cast<std::size_t>(piece.tokens ? piece.tokens->count() : 0);
  return static_cast<int>(tokens);
}

}  // namespace

Result<std::unique_ptr<ConversationReader>> ConversationReader::create(
    const std::shared_ptr<ModelPair> &pair, const ReadingOptions &options,
    std::shared_ptr<PictureCache> cache, std::shared_ptr<const AudioEncoder> ears) {
  // Tiles are cut and encoded by libmtmd: no other weights need be loaded for them.
  const bool tiles = options.detail == PictureDetail::tiles;
  auto encoder = make_encoder(pair, {.kind = tiles ? EncoderKind::libmtmd : options.encoder});
  if (!encoder.ok()) return encoder.status();
  std::unique_ptr<ConversationReader> reader(new ConversationReader());
  reader->options_ = options;
  reader->cache_ = std::move(cache);
  reader->ears_ = std::move(ears);
  reader->encoder_ = std::move(encoder).value();
  return reader;
}

Result<std::vector<Turn>> ConversationReader::read(const std::vector<ChatMessage> &messages,
                                                   const Session &session, const std::stop_token &stop,
                                                   ReadingReport &report) {
  std::vector<Turn> turns;
  int tokens = 0;
  for (const auto &message : messages) {
    Turn turn{message.role, {}};
    for (const auto &part : message.parts) {
      auto read =
          part.kind == ContentPart::Kind::text ? session.words(part.data) : read_file(part, stop, report);
      if (!read.ok()) return read.status();
      tokens += tokens_of(read.value());
      if (auto status = session.check_fits(tokens); !status.ok()) return status;
      turn.content.push_back(std::move(read).value());
    }
    turns.push_back(std::move(turn));
  }
  return turns;
}

Result<EncodedImage> ConversationReader::read_file(const ContentPart &part, const std::stop_token &stop,
                                                   ReadingReport &report) {
  const bool sound = part.kind == ContentPart::Kind::sound;
  const auto key = PictureCache::key_of(sound ? Sense::sound : Sense::sight, part.data);
  if (auto known = cache_->find(key)) {
    ++report.remembered;
    return std::move(*known);
  }
  const auto start = Clock::now();
  auto image = sound ? hear(part.data, stop) : see(part.data, stop);
  if (!image.ok()) return image;
  report.encode += Clock::now() - start;
  ++report.encoded;
  cache_->add(key, image.value());
  return image;
}

Result<EncodedImage> ConversationReader::see(const std::string &file, const std::stop_token &stop) {
  const auto picture = decode_picture(file, options_.most_pixels);
  if (!picture.ok()) return picture.status();
  if (options_.detail == PictureDetail::tiles) return encoder_->encode_tiles(picture.value().view(), stop);
  const auto [width, height] = encoder_->input();
  const auto resized = resize_area(picture.value().view(), width, height);
  // Two pictures of two clients have nothing to do with each other.
  encoder_->forget();
  auto tokens = encoder_->encode(resized.view(), {}, stop);
  if (!tokens.ok()) return tokens.status();
  return encoder_->overview(std::move(tokens).value());
}

Result<EncodedImage> ConversationReader::hear(const std::string &file, const std::stop_token &stop) const {
  if (!ears_)
    return Status{StatusKind::unsupported,
                  "the model of this server does not hear: send no input_audio, or ask a server with a model "
                  "that has an audio encoder"};
  const auto samples = decode_wav(file, ears_->rate(), AudioEncoder::kLongest);
  if (!samples.ok()) return samples.status();
  return ears_->encode({samples.value(), ears_->rate(), 1, {}}, stop);
}

}  // namespace saccade
