// What a conversation is made of.
#pragma once

#include <vector>

#include "vision/vision_encoder.h"

namespace saccade {

enum class Role { system, user, assistant };

// What one side says at a time: pictures, sounds and words (as Session::words() makes them), in the order in
// which they are read.
struct Turn {
  Role role = Role::user;
  std::vector<EncodedImage> content;
};

}  // namespace saccade
