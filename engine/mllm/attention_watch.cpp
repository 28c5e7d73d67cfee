#include "mllm/attention_watch.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace saccade {
namespace {

bool is_attention(const ggml_tensor *tensor) {
  return std::string_view(tensor->name).starts_with("kq_soft_max") && tensor->type == GGML_TYPE_F32 &&
         tensor->src[1] && tensor->ne[3] == 1;
}

bool may_attend(const ggml_tensor *mask, std::size_t row, std::size_t cell) {
  const auto *at = static_cast<const char *>(mask->data) + row * mask->nb[1] + cell * mask->nb[0];
  const float value = mask->type == GGML_TYPE_F16
                          ? ggml_fp16_to_fp32(*reinterpret_cast<const ggml_fp16_t *>(at))
                          : *reinterpret_cast<const float *>(at);
  return !std::isinf(value);
}

}  // namespace

bool AttentionWatch::callback(ggml_tensor *tensor, bool ask, void *watch) {
  auto *self = static_cast<AttentionWatch *>(watch);
  const bool wanted = self->wants_more() && is_attention(tensor);
  if (wanted && !ask) self->take(tensor);
  return ask ? wanted : true;
}

// Weights of all layers, or the mask alone.
bool AttentionWatch::wants_more() const {
  return !rows_.empty() && (!mask_ || std::ranges::any_of(rows_, &Rows::weigh));
}

void AttentionWatch::begin(std::vector<Rows> rows) {
  rows_ = std::move(rows);
  seen_.assign(rows_.size(), {});
  mask_ = nullptr;
  layers_ = 0;
}

std::vector<AttentionWatch::Seen> AttentionWatch::end() {
  rows_.clear();
  for (auto &one : seen_)
    for (auto &weight : one.weights) weight /= static_cast<float>(layers_);
  return std::exchange(seen_, {});
}

void AttentionWatch::take(const ggml_tensor *weights) {
  if (!mask_) take_cells(weights->src[1]);
  if (weights->src[1] != mask_) return;
  ++layers_;
  const auto cells = static_cast<std::size_t>(weights->ne[0]);
  const auto heads = static_cast<std::size_t>(weights->ne[2]);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto [first, count, weigh] = rows_[i];
    if (!weigh) continue;
    auto &sums = seen_[i].weights;
    sums.resize(cells);
    const float each = 1.0F / static_cast<float>(heads * count);
    for (std::size_t head = 0; head < heads; ++head)
      for (std::size_t row = first; row < first + count; ++row) {
        const auto *values = reinterpret_cast<const float *>(static_cast<const char *>(weights->data) +
                                                             head * weights->nb[2] + row * weights->nb[1]);
        for (std::size_t cell = 0; cell < cells; ++cell) sums[cell] += each * values[cell];
      }
  }
}

void AttentionWatch::take_cells(const ggml_tensor *mask) {
  mask_ = mask;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto row = rows_[i].first + rows_[i].count - 1;
    for (std::size_t cell = 0; cell < static_cast<std::size_t>(mask->ne[0]); ++cell)
      if (may_attend(mask, row, cell)) seen_[i].cells.push_back(static_cast<int>(cell));
  }
}

}  // namespace saccade
