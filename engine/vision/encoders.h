// The kinds of VisionEncoder, and what they share. Included by the .cpp files of this room only.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "vision/vision_encoder.h"

namespace saccade {

// Through libmtmd; fallback_reason: why it is not another, or empty.
Result<std::unique_ptr<VisionEncoder>> make_mtmd_encoder(std::shared_ptr<ModelPair> pair,
                                                         std::string fallback_reason);

// On our own tower, which `plain`, the same pair's encoder through libmtmd, serves with prompts and tiles. It
// also keeps the pair. unsupported: see tower::read_tower().
Result<std::unique_ptr<VisionEncoder>> make_streaming_encoder(const ModelPair &pair,
                                                              std::unique_ptr<VisionEncoder> plain,
                                                              const EncoderOptions &options);

// invalid_argument: not rgb8, smaller than 2 x 2, or with less memory than its size says.
Status check_picture(const Frame &rgb);
// Likewise, or of another size than `input`.
Status check_input(const Frame &rgb, const EncoderInput &input);

// values: one row of `dimension` floats for each place of the grid, row by row; encoded: TokenSet::encoded.
SharedTokens tokens_of(std::span<const float> values, int dimension, const PatchGrid &grid, StreamTime pts,
                       Duration spent, double encoded = 1);

}  // namespace saccade
