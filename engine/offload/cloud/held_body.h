// A request's body whose end is not known when it starts on its way: the pictures go up while the draft that
// follows them is still being made (shadow upload). Internal to offload; used on one thread.
#pragma once

#include <gio/gio.h>

#include <string>

#include "base/glib_pointer.h"

namespace saccade {

class HeldBody {
 public:
  // head: what can be sent at once.
  explicit HeldBody(std::string head);
  // Whoever still reads gets an error. libsoup ends a body in chunks all the same: half of it must be no
  // request that a server understands.
  ~HeldBody();
  HeldBody(const HeldBody &) = delete;
  HeldBody &operator=(const HeldBody &) = delete;

  // To be read, asynchronously alone, by the one who sends it; ends after the tail.
  GInputStream *stream() const { return stream_.get(); }
  // The rest. Once.
  void complete(const std::string &tail);

 private:
  ObjectPointer<GInputStream> stream_;
};

}  // namespace saccade
