// `none`: every token stays.
#include "tokens/methods.h"

namespace saccade {
namespace {

class KeepNone final : public TokenCompressor {
 public:
  std::string_view name() const override { return "none"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &, int) const override { return tokens; }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_keep_none() { return std::make_unique<KeepNone>(); }

}  // namespace saccade
