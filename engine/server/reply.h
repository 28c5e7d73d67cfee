// Small things about libsoup's messages. Internal to the server; on its thread.
#pragma once

#include <libsoup/soup.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/time.h"

namespace saccade {

// Sets a whole response; it is sent when the handler returns, or the message is unpaused.
void reply(SoupServerMessage *message, unsigned status, const char *type, std::string_view body);
void reply_json(SoupServerMessage *message, unsigned status, std::string_view body);

// What a client that is told 503 should wait before it asks again.
inline constexpr auto kUnavailableHint = std::chrono::seconds(5);

// OpenAI's error object with a sentence for people; 503 with Retry-After.
void reply_error(SoupServerMessage *message, unsigned status, std::string_view sentence);

// In whole seconds, at least one.
void set_retry_after(SoupServerMessage *message, Duration wait);

// The address of whoever is connected, without a port.
std::string address_of(SoupServerMessage *message);

}  // namespace saccade
