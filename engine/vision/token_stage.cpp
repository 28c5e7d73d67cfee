#include "vision/token_stage.h"

#include <algorithm>
#include <utility>

namespace saccade {
namespace {

PatchMap fitting(const PatchMap &map, const PatchGrid &grid) {
  return map.size() == static_cast<std::size_t>(grid.count()) ? map : PatchMap();
}

// A map of patches as one of tokens, each of which covers some of them: their most.
PatchMap most_of(const PatchMap &map, const PatchGrid &patches, const PatchGrid &tokens) {
  if (map.empty() || patches == tokens) return map;
  PatchMap most(static_cast<std::size_t>(tokens.count()));
  for (int p = 0; p < patches.count(); ++p) {
    const int row = p / patches.columns * tokens.rows / patches.rows;
    const int column = p % patches.columns * tokens.columns / patches.columns;
    auto &value = most[static_cast<std::size_t>(row * tokens.columns + column)];
    value = std::max(value, map[static_cast<std::size_t>(p)]);
  }
  return most;
}

}  // namespace

TokenStage::TokenStage(std::unique_ptr<VisionEncoder> encoder, std::unique_ptr<TokenCompressor> compressor)
    : encoder_(std::move(encoder)), compressor_(std::move(compressor)) {}

SharedTokens TokenStage::reusable(const PatchAdvice &advice) {
  const auto refresh = refreshed(advice);
  const bool unchanged = !refresh.empty() && std::ranges::all_of(refresh, [](auto v) { return v == 0; });
  if (!unchanged || !last_) return nullptr;
  if (last_->encode_time != Duration::zero()) {
    auto again = std::make_shared<TokenSet>(*last_);
    again->encode_time = Duration::zero();
    again->encoded = 0;
    last_ = std::move(again);
  }
  return last_;
}

Result<SharedTokens> TokenStage::encode(const Frame &rgb, const PatchAdvice &advice, const KeepAmount &amount,
                                        std::stop_token stop) {
  // Without tokens of an earlier picture there is nothing that a part could be added to.
  auto encoded = encoder_->encode(rgb, last_ ? refreshed(advice) : PatchMap(), std::move(stop));
  if (!encoded.ok()) return encoded.status();

  KeepRequest request;
  request.amount = amount;
  request.keep = most_of(fitting(advice.keep, patches()), patches(), encoder_->grid());
  request.previous = reference_.tokens();
  auto kept = compressor_->compress(*encoded.value(), request);
  if (!kept.ok()) return kept.status();
  last_ = std::make_shared<const TokenSet>(std::move(kept).value());
  reference_.commit(*last_);
  return last_;
}

PatchMap TokenStage::refreshed(const PatchAdvice &advice) const { return fitting(advice.refresh, patches()); }

void TokenStage::forget() {
  last_.reset();
  reference_.clear();
  encoder_->forget();
}

}  // namespace saccade
