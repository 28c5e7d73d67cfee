// Reading the JSON of a server's reply, whole or of one chunk. Internal to offload. Each of these gives
// nothing when a member is absent or of another type.
#pragma once

#include <json-glib/json-glib.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/glib_pointer.h"
#include "base/status.h"
#include "offload/chat_reply.h"

namespace saccade::chat_json {

// An object; `corrupt` when `body` is none.
Result<ObjectPointer<JsonParser>> parse(std::string_view body);

JsonNode *member(JsonNode *node, const char *name);
JsonArray *array_of(JsonNode *node);
const char *string_of(JsonNode *node);
std::optional<double> number_of(JsonNode *node);

// One printable line out of whatever a server wrote.
std::string one_line(std::string_view text);
std::string complaint_of(JsonNode *root);
// `unavailable` when the server sent an error in the place of a completion.
Status error_in(JsonNode *root);

// Of choices[0].logprobs: adds a value per token; false when one of them tells none.
bool read_log_probabilities(JsonNode *choice, std::vector<float> &values);
// Of choices[0].finish_reason.
void read_finish(JsonNode *choice, ChatReply &reply);
// Of usage and prompt_logprobs.
void read_usage(JsonNode *root, ChatReply &reply);
void read_prompt_tokens(JsonNode *root, ChatReply &reply);

}  // namespace saccade::chat_json
