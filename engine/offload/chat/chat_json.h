// Reading the JSON of a server's reply, whole or of one chunk. Internal to offload.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_read.h"
#include "offload/chat/chat_reply.h"

namespace saccade::chat_json {

// An object; `corrupt` when `body` is none.
Result<ObjectPointer<JsonParser>> parse(std::string_view body);

// One printable line out of whatever a server wrote.
std::string one_line(std::string_view text);
std::string complaint_of(JsonNode *root);
// `unavailable` when the server sent an error in the place of a completion.
Status error_in(JsonNode *root);

// Of choices[0].logprobs: adds a value per token; false when one of them tells none.
bool read_log_probabilities(JsonNode *choice, std::vector<float> &values);
// Of choices[0].finish_reason.
void read_finish(JsonNode *choice, ChatReply &reply);
// Of usage, timings and prompt_logprobs.
void read_usage(JsonNode *root, ChatReply &reply);
void read_timings(JsonNode *root, ChatReply &reply);
void read_prompt_tokens(JsonNode *root, ChatReply &reply);

}  // namespace saccade::chat_json
