// Where the cloud is: turning what a user types into the URL of the chat-completions call.
// Pure functions, safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace saccade {

// Accepts "http://host:8080", ".../v1", ".../v1/" and a full ".../v1/chat/completions"; any other path is
// taken as it is. invalid_argument when it is not http(s), names no host, or carries a user and password.
Result<std::string> chat_completions_url(const std::string &typed);

// The URLs in a list with commas or blanks between them, each as above; at least one. The same errors.
Result<std::vector<std::string>> chat_completions_urls(const std::string &typed);

// The URL without its query, which may hold a secret: fit for a log line or an error sentence.
std::string url_for_people(const std::string &url);

// The key in `path`, without the white space around it; when `path` is empty, that of the environment
// variable SACCADE_API_KEY; empty when there is neither. The key itself stands in no error sentence.
Result<std::string> read_api_key(const std::string &path);

}  // namespace saccade
