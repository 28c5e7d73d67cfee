#include <llama.h>

#include <string>
#include <utility>

#include "vision/encoders.h"

namespace saccade {
namespace {

std::string size_of(int width, int height) { return std::to_string(width) + " x " + std::to_string(height); }

}  // namespace

Status check_picture(const Frame &rgb) {
  if (rgb.format != PixelFormat::rgb8 || rgb.width < 2 || rgb.height < 2)
    return {StatusKind::invalid_argument,
            "the encoder takes RGB pictures of at least 2 x 2 pixels, not " + size_of(rgb.width, rgb.height)};
  const auto line = static_cast<std::size_t>(rgb.width) * 3;
  const auto needed = static_cast<std::size_t>(rgb.height - 1) * rgb.stride + line;
  if (rgb.stride < line || rgb.pixels.size() < needed)
    return {StatusKind::invalid_argument, "the picture's memory is smaller than its size says"};
  return {};
}

Status check_input(const Frame &rgb, const EncoderInput &input) {
  if (auto status = check_picture(rgb); !status.ok()) return status;
  if (rgb.width == input.width && rgb.height == input.height) return {};
  return {StatusKind::invalid_argument, "the encoder takes " + size_of(input.width, input.height) +
                                            " pictures, not " + size_of(rgb.width, rgb.height)};
}

SharedTokens tokens_of(std::span<const float> values, int dimension, const PatchGrid &grid, StreamTime pts,
                       Duration spent, double encoded) {
  auto tokens = std::make_shared<TokenSet>();
  const auto count = values.size() / static_cast<std::size_t>(dimension);
  tokens->dimension = dimension;
  tokens->grid = grid;
  tokens->seen = static_cast<int>(count);
  tokens->pts = pts;
  tokens->encode_time = spent;
  tokens->encoded = encoded;
  tokens->values.assign(values.begin(), values.end());
  tokens->weights.assign(count, 1.0F);
  tokens->positions.reserve(count);
  const auto seconds = static_cast<float>(to_seconds(pts));
  for (int i = 0; i < tokens->seen; ++i) {
    const int row = i / grid.columns;
    const int column = i % grid.columns;
    tokens->positions.push_back({seconds, static_cast<float>(row), static_cast<float>(column)});
  }
  return tokens;
}

Result<std::unique_ptr<VisionEncoder>> make_encoder(std::shared_ptr<ModelPair> pair,
                                                    const EncoderOptions &options) {
  if (options.kind == EncoderKind::libmtmd) return make_mtmd_encoder(std::move(pair), {});
  if (options.kind == EncoderKind::automatic && llama_supports_gpu_offload())
    return make_mtmd_encoder(std::move(pair), "ggml has a GPU");
  auto plain = make_mtmd_encoder(pair, {});
  if (!plain.ok()) return plain;
  auto streaming = make_streaming_encoder(*pair, std::move(plain).value(), options);
  if (streaming.ok() || streaming.status().kind() != StatusKind::unsupported) return streaming;
  return make_mtmd_encoder(std::move(pair), streaming.status().message());
}

}  // namespace saccade
