// Whether two answers say the same, as far as words go. Pure function, safe from any thread.
#pragma once

#include <string>

namespace saccade {

// Upper and lower case of ASCII, its punctuation and the length of white space make no difference.
bool same_words(const std::string &a, const std::string &b);

}  // namespace saccade
