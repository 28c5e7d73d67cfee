// What libmtmd cuts a picture or a sound into. Included by the .cpp files of this room only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/status.h"
#include "tokens/token_set.h"
#include "vision/llama_handles.h"
#include "vision/vision_encoder.h"

namespace saccade {

// Null when libmtmd cannot.
MtmdChunksHandle cut_into_chunks(const ModelPair::Impl &pair, const mtmd_bitmap *bitmap);

bool is_text(const mtmd_input_chunk *chunk);
std::vector<std::int32_t> text_tokens(const mtmd_input_chunk *chunk);

// Called while the turn lasts: the values, one row per token, are the next encode's after it.
using TokenCopier = std::function<SharedTokens(std::span<const float> values, Duration spent)>;

// Waits for the pair's turn and encodes. cancelled: honoured within one layer.
Result<SharedTokens> encode_chunk(ModelPair::Impl &pair, const mtmd_input_chunk *chunk, std::stop_token stop,
                                  const TokenCopier &copy);

// Texts and tokens in their order, the tokens as `encode` makes them.
Result<EncodedImage> lay_out_chunks(
    const mtmd_input_chunks *chunks,
    const std::function<Result<SharedTokens>(const mtmd_input_chunk *)> &encode);

}  // namespace saccade
