#include "mllm/batch_arrays.h"

#include <cstddef>

namespace saccade {

std::int32_t decode_arrays(llama_context *context, BatchArrays &arrays) {
  const auto count = arrays.lanes.size();
  std::vector<llama_pos> positions;
  for (const auto &row : arrays.rows) positions.insert(positions.end(), row.begin(), row.end());
  std::vector<std::int32_t> one_each(count, 1);
  std::vector<llama_seq_id *> lanes(count + 1, nullptr);
  for (std::size_t i = 0; i < count; ++i) lanes[i] = &arrays.lanes[i];
  llama_batch batch{};
  batch.n_tokens = static_cast<std::int32_t>(count);
  batch.token = arrays.tokens.empty() ? nullptr : arrays.tokens.data();
  batch.embd = arrays.values.empty() ? nullptr : arrays.values.data();
  batch.pos = positions.data();
  batch.n_seq_id = one_each.data();
  batch.seq_id = lanes.data();
  batch.logits = arrays.wanted.data();
  return llama_decode(context, batch);
}

}  // namespace saccade
