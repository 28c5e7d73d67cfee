// What a llama_batch points into. Internal to mllm.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace saccade {

// Filled row by row, with a token or an embedding for each.
struct BatchArrays {
  std::vector<llama_token> tokens;
  std::vector<float> values;
  std::vector<std::vector<llama_pos>> rows;  // one, or with M-RoPE four: t, y, x and zero
  std::vector<llama_seq_id> lanes;
  std::vector<std::int8_t> wanted;

  explicit BatchArrays(bool mrope) : rows(mrope ? 4 : 1) {}

  void add(int lane, llama_pos t, llama_pos y, llama_pos x, bool want_logits) {
    rows[0].push_back(t);
    if (rows.size() > 1) {
      rows[1].push_back(y);
      rows[2].push_back(x);
      rows[3].push_back(0);
    }
    lanes.push_back(lane);
    wanted.push_back(want_logits ? 1 : 0);
  }
};

// As llama_decode().
std::int32_t decode_arrays(llama_context *context, BatchArrays &arrays);

}  // namespace saccade
