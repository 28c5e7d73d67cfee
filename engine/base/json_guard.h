// A look at untrusted bytes before a JSON parser sees them: json-glib descends once per bracket on the stack
// and takes comments for JSON, so depth and alphabet are checked first. Pure function, safe from any thread.
#pragma once

#include <string_view>

#include "base/status.h"

namespace saccade {

// Ok when `body` is UTF-8 made of JSON's own characters, with strings closed and brackets in balance, at most
// `max_depth` deep. It does not say that `body` is valid JSON.
Status check_json_shape(std::string_view body, int max_depth);

}  // namespace saccade
