// Memory for the `temporal` method: what the consumer holds for each place of the picture.
#pragma once

#include "tokens/token_set.h"

namespace saccade {

// A place's reference moves only when a token of it was handed on, so that slow drift adds up until it
// is seen; a comparison with the previous frame would never fire. Not thread-safe.
class TemporalReference {
 public:
  // Null until the first commit, and again after clear().
  SharedTokens tokens() const { return reference_; }

  // `emitted` has been handed on. A set of another grid or dimension starts afresh.
  void commit(const TokenSet &emitted);
  void clear() { reference_.reset(); }

 private:
  SharedTokens reference_;
};

}  // namespace saccade
