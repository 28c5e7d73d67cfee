#include "server/reply.h"

#include <algorithm>
#include <cmath>

#include "base/glib_pointer.h"
#include "server/chat_response.h"

namespace saccade {

void reply(SoupServerMessage *message, unsigned status, const char *type, std::string_view body) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, body.data(), body.size());
}

void reply_json(SoupServerMessage *message, unsigned status, std::string_view body) {
  reply(message, status, "application/json", body);
}

void reply_error(SoupServerMessage *message, unsigned status, std::string_view sentence) {
  if (status == SOUP_STATUS_SERVICE_UNAVAILABLE) set_retry_after(message, kUnavailableHint);
  reply_json(message, status, error_json(status, sentence));
}

void set_retry_after(SoupServerMessage *message, Duration wait) {
  const auto seconds = std::to_string(static_cast<long>(std::ceil(std::max(to_seconds(wait), 1.0))));
  soup_message_headers_replace(soup_server_message_get_response_headers(message), "Retry-After",
                               seconds.c_str());
}

std::string address_of(SoupServerMessage *message) {
  GSocketAddress *address = soup_server_message_get_remote_address(message);
  if (!address || !G_IS_INET_SOCKET_ADDRESS(address)) return "-";
  const CString text(
      g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address))));
  return text.get();
}

}  // namespace saccade
