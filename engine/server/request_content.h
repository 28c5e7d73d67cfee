// The messages of a request. Internal to the server; pure functions, safe on any JSON.
#pragma once

#include <json-glib/json-glib.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "server/chat_request.h"

namespace saccade {

// Messages from the array `messages`, in their order; empty content gives no parts. Errors: invalid_argument,
// unsupported (a kind of content that this server does not take).
Result<std::vector<ChatMessage>> read_messages(JsonNode *messages);

// The joined text of a content that must be text: a string, or an array of text parts. field: its name for
// the error sentence.
Result<std::string> read_text(JsonNode *content, const std::string &field);

}  // namespace saccade
