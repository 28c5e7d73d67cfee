// Whether whoever is at the other end of a connection has hung up. Internal to the server.
#pragma once

#include <functional>

#include "base/glib_pointer.h"

namespace saccade {

// Calls `then` once, on the thread of this thread's default context, when the peer of the socket `fd` has
// closed its side, or the connection is lost; also while nobody reads from it. Not after the handle has gone;
// it must go before the socket does.
SourcePointer watch_hang_up(int fd, std::function<void()> then);

}  // namespace saccade
