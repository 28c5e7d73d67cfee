// The VisionEncoder that works for every family: it asks libmtmd.
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <gguf.h>

#include "vision/encoders.h"
#include "vision/llama_handles.h"
#include "vision/mtmd_chunks.h"

namespace saccade {
namespace {

constexpr int kFallbackInput = 448;  // pixels; for families whose file names no size of its own

// Width and height of a chunk's tokens: what M-RoPE families say, else a square when it is one, else a row.
PatchGrid grid_of(const mtmd_input_chunk *chunk, bool mrope) {
  const auto count = static_cast<int>(mtmd_input_chunk_get_n_tokens(chunk));
  if (mrope) {
    PatchGrid grid;
    const auto *image = mtmd_input_chunk_get_tokens_image(chunk);
    for (int i = 0; i < count; ++i) {
      const auto position = mtmd_image_tokens_get_decoder_pos(image, 0, static_cast<std::size_t>(i));
      grid.columns = std::max(grid.columns, static_cast<int>(position.x) + 1);
      grid.rows = std::max(grid.rows, static_cast<int>(position.y) + 1);
    }
    if (grid.count() == count) return grid;
  }
  const auto side = static_cast<int>(std::lround(std::sqrt(count)));
  return side * side == count ? PatchGrid{side, side} : PatchGrid{1, count};
}

MtmdBitmapHandle bitmap_of(const Frame &rgb) {
  const auto row_bytes = static_cast<std::size_t>(rgb.width) * 3;
  std::vector<std::uint8_t> packed(row_bytes * static_cast<std::size_t>(rgb.height));
  for (int y = 0; y < rgb.height; ++y)
    std::memcpy(packed.data() + static_cast<std::size_t>(y) * row_bytes, rgb.row(y), row_bytes);
  return MtmdBitmapHandle(mtmd_bitmap_init(static_cast<std::uint32_t>(rgb.width),
                                           static_cast<std::uint32_t>(rgb.height), packed.data()));
}

// clip.vision.image_size of the projector's file.
EncoderInput input_of(const std::string &mmproj) {
  struct Deleter {
    void operator()(gguf_context *context) const { gguf_free(context); }
  };
  const std::unique_ptr<gguf_context, Deleter> gguf(gguf_init_from_file(mmproj.c_str(), {true, nullptr}));
  int side = kFallbackInput;
  if (gguf) {
    const auto key = gguf_find_key(gguf.get(), "clip.vision.image_size");
    if (key >= 0 && gguf_get_kv_type(gguf.get(), key) == GGUF_TYPE_UINT32)
      side = static_cast<int>(gguf_get_val_u32(gguf.get(), key));
  }
  return {side, side};
}

class MtmdEncoder final : public VisionEncoder {
 public:
  MtmdEncoder(std::shared_ptr<ModelPair> pair, EncoderInput input, std::string fallback_reason)
      : pair_(std::move(pair)),
        impl_(pair_->impl()),
        input_(input),
        fallback_reason_(std::move(fallback_reason)),
        mrope_(mtmd_decode_use_mrope(impl_.vision.get())) {}

  // Cuts an empty picture to learn the grid and the text around the overview.
  Status learn_layout() {
    const MtmdBitmapHandle blank(mtmd_bitmap_init(static_cast<std::uint32_t>(input_.width),
                                                  static_cast<std::uint32_t>(input_.height), nullptr));
    auto chunks = cut(blank.get());
    if (!chunks.ok()) return chunks.status();
    const auto overview = overview_index(chunks.value().get());
    if (!overview)
      return {StatusKind::unsupported,
              "projector \"" + pair_->files().mmproj + "\" made no tokens of a picture"};
    const auto *list = chunks.value().get();
    grid_ = grid_of(mtmd_input_chunks_get(list, *overview), mrope_);
    if (*overview > 0)
      announcement_ = overview_announcement(mtmd_input_chunks_get(list, *overview - 1), *overview);
    if (*overview + 1 < mtmd_input_chunks_size(list)) {
      const auto *after = mtmd_input_chunks_get(list, *overview + 1);
      if (is_text(after)) closing_ = text_tokens(after);
    }
    return {};
  }

  EncoderInput input() const override { return input_; }
  PatchGrid grid() const override { return grid_; }
  int dimension() const override { return llama_model_n_embd_inp(impl_.text.get()); }

  Result<SharedTokens> encode(const Frame &rgb, const PatchMap &, std::stop_token stop) override {
    if (auto status = check_input(rgb, input_); !status.ok()) return status;
    const auto bitmap = bitmap_of(rgb);
    auto chunks = cut(bitmap.get());
    if (!chunks.ok()) return chunks.status();
    const auto overview = overview_index(chunks.value().get());
    if (!overview) return Status{StatusKind::internal, "the projector made no tokens of a picture"};
    return encode_piece(mtmd_input_chunks_get(chunks.value().get(), *overview), rgb.pts, stop);
  }

  std::string description() const override { return "libmtmd"; }
  std::string fallback_reason() const override { return fallback_reason_; }

  EncodedImage overview(SharedTokens tokens) const override {
    return {{{announcement_, std::move(tokens)}}, closing_};
  }

  Result<EncodedImage> encode_tiles(const Frame &rgb, std::stop_token stop) override {
    if (auto status = check_picture(rgb); !status.ok()) return status;
    const auto bitmap = bitmap_of(rgb);
    auto chunks = cut(bitmap.get());
    if (!chunks.ok()) return chunks.status();
    return lay_out_chunks(chunks.value().get(),
                          [&](const auto *chunk) { return encode_piece(chunk, rgb.pts, stop); });
  }

 private:
  Result<MtmdChunksHandle> cut(const mtmd_bitmap *bitmap) const {
    auto chunks = cut_into_chunks(impl_, bitmap);
    if (!chunks)
      return Status{StatusKind::internal, "libmtmd could not prepare a picture of " +
                                              std::to_string(mtmd_bitmap_get_nx(bitmap)) + " x " +
                                              std::to_string(mtmd_bitmap_get_ny(bitmap)) + " pixels"};
    return chunks;
  }

  // Families that cut tiles put the overview last (Idefics3) or first (LLaVA-UHD kin); with one image
  // chunk both are the same. Which of the two it is shows in the text before the last one.
  std::optional<std::size_t> overview_index(const mtmd_input_chunks *chunks) const {
    std::optional<std::size_t> first;
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < mtmd_input_chunks_size(chunks); ++i) {
      if (is_text(mtmd_input_chunks_get(chunks, i))) continue;
      if (!first) first = i;
      last = i;
    }
    if (first == last || *last == 0) return first;
    const auto *before = mtmd_input_chunks_get(chunks, *last - 1);
    return is_text(before) && names_overview(text_tokens(before)) ? last : first;
  }

  bool names_overview(const std::vector<std::int32_t> &tokens) const {
    const auto *vocabulary = llama_model_get_vocab(impl_.text.get());
    return !tokens.empty() &&
           std::strcmp(llama_vocab_get_text(vocabulary, tokens.back()), "<global-img>") == 0;
  }

  // Idefics3 runs the end of the last tile row into the overview's announcement, which is exactly
  // "\n\n", <fake_token_around_image>, <global-img>.
  std::vector<std::int32_t> overview_announcement(const mtmd_input_chunk *before, std::size_t index) const {
    if (!is_text(before)) return {};
    auto tokens = text_tokens(before);
    constexpr std::size_t kIdefics3Announcement = 3;
    if (index > 1 && names_overview(tokens) && tokens.size() > kIdefics3Announcement)
      tokens.erase(tokens.begin(), tokens.end() - kIdefics3Announcement);
    return tokens;
  }

  Result<SharedTokens> encode_piece(const mtmd_input_chunk *chunk, StreamTime pts, std::stop_token stop) {
    return encode_chunk(impl_, chunk, stop, [&](std::span<const float> values, Duration spent) {
      return tokens_of(values, dimension(), grid_of(chunk, mrope_), pts, spent);
    });
  }

  std::shared_ptr<ModelPair> pair_;
  ModelPair::Impl &impl_;
  EncoderInput input_;
  std::string fallback_reason_;
  bool mrope_;
  PatchGrid grid_;
  std::vector<std::int32_t> announcement_;
  std::vector<std::int32_t> closing_;
};

}  // namespace

Result<std::unique_ptr<VisionEncoder>> make_mtmd_encoder(std::shared_ptr<ModelPair> pair,
                                                         std::string fallback_reason) {
  const auto input = input_of(pair->files().mmproj);
  auto encoder = std::make_unique<MtmdEncoder>(std::move(pair), input, std::move(fallback_reason));
  if (auto status = encoder->learn_layout(); !status.ok()) return status;
  return Result<std::unique_ptr<VisionEncoder>>(std::move(encoder));
}

}  // namespace saccade
