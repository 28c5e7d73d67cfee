#include "vision/mtmd_chunks.h"

#include <string>
#include <utility>

namespace saccade {

MtmdChunksHandle cut_into_chunks(const ModelPair::Impl &pair, const mtmd_bitmap *bitmap) {
  MtmdChunksHandle chunks(mtmd_input_chunks_init());
  const mtmd_input_part part{nullptr, bitmap};
  const mtmd_input_part *parts[] = {&part};
  if (mtmd_tokenize_from_parts(pair.vision.get(), chunks.get(), parts, 1, /*add_special=*/false) != 0)
    return nullptr;
  return chunks;
}

bool is_text(const mtmd_input_chunk *chunk) {
  return mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT;
}

std::vector<std::int32_t> text_tokens(const mtmd_input_chunk *chunk) {
  std::size_t count = 0;
  const auto *tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
  return {tokens, tokens + count};
}

Result<SharedTokens> encode_chunk(ModelPair::Impl &pair, const mtmd_input_chunk *chunk, std::stop_token stop,
                                  const TokenCopier &copy) {
  const auto turn = pair.turn.take(stop);
  if (!turn) return Status{StatusKind::cancelled, "encoding was stopped"};
  const auto start = Clock::now();
  const auto code = mtmd_encode_chunk(pair.vision.get(), chunk);
  const auto spent = Clock::now() - start;
  // Before the code: an encode that was broken off says 0.
  if (stop.stop_requested()) return Status{StatusKind::cancelled, "encoding was stopped"};
  if (code != 0) {
    const bool sound = mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_AUDIO;
    return Status{StatusKind::internal, std::string("libmtmd could not encode a ") +
                                            (sound ? "sound" : "picture") + " (code " + std::to_string(code) +
                                            ")"};
  }
  const auto width = static_cast<std::size_t>(llama_model_n_embd_inp(pair.text.get()));
  const std::span values(mtmd_get_output_embd(pair.vision.get()),
                         mtmd_input_chunk_get_n_tokens(chunk) * width);
  return copy(values, spent);
}

Result<EncodedImage> lay_out_chunks(
    const mtmd_input_chunks *chunks,
    const std::function<Result<SharedTokens>(const mtmd_input_chunk *)> &encode) {
  EncodedImage image;
  std::vector<std::int32_t> text;
  for (std::size_t i = 0; i < mtmd_input_chunks_size(chunks); ++i) {
    const auto *chunk = mtmd_input_chunks_get(chunks, i);
    if (is_text(chunk)) {
      const auto tokens = text_tokens(chunk);
      text.insert(text.end(), tokens.begin(), tokens.end());
      continue;
    }
    auto tokens = encode(chunk);
    if (!tokens.ok()) return tokens.status();
    image.pieces.push_back({std::exchange(text, {}), std::move(tokens).value()});
  }
  image.closing = std::move(text);
  return image;
}

}  // namespace saccade
