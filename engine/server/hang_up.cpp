#include "server/hang_up.h"

#include <poll.h>

#include <memory>
#include <utility>

namespace saccade {
namespace {

// A source of GLib's, which makes and frees its memory. Made by hand, for GLib's own know no POLLRDHUP: a
// peer that has closed its side while there is unread data.
struct HangUpSource {
  GSource base;
  GPollFD poll;
};

gboolean has_hung_up(GSource *source) { return reinterpret_cast<HangUpSource *>(source)->poll.revents != 0; }

gboolean tell(GSource *, GSourceFunc callback, gpointer data) {
  callback(data);
  return G_SOURCE_REMOVE;
}

GSourceFuncs functions() {
  GSourceFuncs functions{};
  functions.check = has_hung_up;
  functions.dispatch = tell;
  return functions;
}

}  // namespace

SourcePointer watch_hang_up(int fd, std::function<void()> then) {
  static GSourceFuncs functions_of_all = functions();
  SourcePointer source(g_source_new(&functions_of_all, sizeof(HangUpSource)));
  auto &poll = reinterpret_cast<HangUpSource *>(source.get())->poll;
  poll = {fd, POLLRDHUP | POLLHUP | POLLERR, 0};
  g_source_add_poll(source.get(), &poll);
  using Then = std::function<void()>;
  g_source_set_callback(
      source.get(),
      [](gpointer data) -> gboolean {
        (*static_cast<Then *>(data))();
        return G_SOURCE_REMOVE;
      },
      std::make_unique<Then>(std::move(then)).release(),
      [](gpointer data) { const std::unique_ptr<Then> freed(static_cast<Then *>(data)); });
  g_source_attach(source.get(), g_main_context_get_thread_default());
  return source;
}

}  // namespace saccade
