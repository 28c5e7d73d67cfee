// The makers behind make_compressor(); each is defined in its method's own file.
#pragma once

#include <memory>

#include "tokens/compressor.h"

namespace saccade {

std::unique_ptr<TokenCompressor> make_keep_none();
std::unique_ptr<TokenCompressor> make_keep_grid();
std::unique_ptr<TokenCompressor> make_keep_random();
std::unique_ptr<TokenCompressor> make_downscale();
std::unique_ptr<TokenCompressor> make_merge();
std::unique_ptr<TokenCompressor> make_divprune();
std::unique_ptr<TokenCompressor> make_temporal();
std::unique_ptr<TokenCompressor> make_coverage();
std::unique_ptr<TokenCompressor> make_dpp();
std::unique_ptr<TokenCompressor> make_cluster();
std::unique_ptr<TokenCompressor> make_salience();

}  // namespace saccade
