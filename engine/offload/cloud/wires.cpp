#include "offload/cloud/wires.h"

#include <gio/gio.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>

namespace saccade {

void Wires::watch(SoupMessage *message) {
  const auto heard = [](SoupMessage *of, GSocketClientEvent event, GIOStream *connection, gpointer wires) {
    if (event == G_SOCKET_CLIENT_CONNECTED) static_cast<Wires *>(wires)->opened(of, connection);
  };
  g_signal_connect(message, "network-event", G_CALLBACK(+heard), this);
}

void Wires::opened(SoupMessage *message, GIOStream *connection) {
  std::erase_if(sockets_, [](const auto &entry) { return g_socket_is_closed(entry.second.get()); });
  if (!G_IS_SOCKET_CONNECTION(connection)) return;
  auto *socket = g_socket_connection_get_socket(G_SOCKET_CONNECTION(connection));
  sockets_[soup_message_get_connection_id(message)].reset(G_SOCKET(g_object_ref(socket)));
}

std::optional<Transfer> Wires::sent(SoupMessage *message) const {
  const auto found = sockets_.find(soup_message_get_connection_id(message));
  if (found == sockets_.end()) return std::nullopt;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(g_socket_get_fd(found->second.get()), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_busy_time) + sizeof info.tcpi_busy_time) return std::nullopt;
  return Transfer{static_cast<std::size_t>(info.tcpi_bytes_acked),
                  std::chrono::microseconds(static_cast<std::int64_t>(info.tcpi_busy_time))};
}

}  // namespace saccade
