// What the kernel knows of the connections that calls go over. Internal to offload; used on one thread.
//
// A body is "written" when the socket's buffer has taken it, which for a picture is at once, on any link. How
// fast it really leaves is told by the other side's acknowledgements, and Linux keeps the sum of the time in
// which any of them was awaited (TCP_INFO's tcpi_busy_time, since 4.10): neither the server's work counts nor
// the wait for a draft in the middle of an upload. What stands between us and the server and acknowledges for
// it, such as a proxy, is where this wire ends.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <map>
#include <optional>

#include "base/glib_pointer.h"
#include "base/time.h"
#include "offload/cloud/link_estimate.h"

namespace saccade {

class Wires {
 public:
  Wires() = default;
  Wires(const Wires &) = delete;
  Wires &operator=(const Wires &) = delete;

  // Before a message is sent: takes note of the connection, should one be opened for it. This must outlive
  // the message.
  void watch(SoupMessage *message);
  // What went up so far over the message's connection, by all its messages together; empty while it has none,
  // and where the kernel does not tell.
  std::optional<Transfer> sent(SoupMessage *message) const;

 private:
  void opened(SoupMessage *message, GIOStream *connection);

  std::map<std::uint64_t, ObjectPointer<GSocket>> sockets_;  // by libsoup's number of the connection
};

}  // namespace saccade
