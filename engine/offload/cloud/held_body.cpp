#include "offload/cloud/held_body.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace {

// What has not been read yet, and the read that waits for more.
struct HeldBytes {
  std::string bytes;
  std::size_t read = 0;
  bool complete = false;
  bool given_up = false;
  saccade::ObjectPointer<GTask> waiting;
  void *into = nullptr;
  gsize most = 0;
};

struct SaccadeHeldStream {
  GInputStream parent;
  HeldBytes *held;
};

struct SaccadeHeldStreamClass {
  GInputStreamClass parent;
};

}  // namespace

G_DEFINE_TYPE(SaccadeHeldStream, saccade_held_stream, G_TYPE_INPUT_STREAM)

static SaccadeHeldStream *held_stream(gpointer instance) {
  return G_TYPE_CHECK_INSTANCE_CAST(instance, saccade_held_stream_get_type(), SaccadeHeldStream);
}

// Answers the read that waits, when there is something to answer it with.
static void serve(HeldBytes &held) {
  if (!held.waiting) return;
  const auto left = held.bytes.size() - held.read;
  if (left == 0 && !held.complete && !held.given_up) return;
  const saccade::ObjectPointer<GTask> task(std::move(held.waiting));
  if (held.given_up) {
    g_task_return_new_error(task.get(), G_IO_ERROR, G_IO_ERROR_CANCELLED,
                            "the upload is not wanted any more");
    return;
  }
  const auto size = std::min<gsize>(left, held.most);
  std::memcpy(held.into, held.bytes.data() + held.read, size);
  held.read += size;
  g_task_return_int(task.get(), static_cast<gssize>(size));
}

static void saccade_held_stream_read_async(GInputStream *stream, void *buffer, gsize count, int,
                                           GCancellable *cancellable, GAsyncReadyCallback callback,
                                           gpointer data) {
  auto &held = *held_stream(stream)->held;
  held.waiting.reset(g_task_new(stream, cancellable, callback, data));
  held.into = buffer;
  held.most = count;
  serve(held);
}

static gssize saccade_held_stream_read_finish(GInputStream *, GAsyncResult *result, GError **error) {
  return g_task_propagate_int(G_TASK(result), error);
}

static gssize saccade_held_stream_read(GInputStream *, void *, gsize, GCancellable *, GError **error) {
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "this body is read asynchronously alone");
  return -1;
}

static void saccade_held_stream_finalize(GObject *object) {
  std::default_delete<HeldBytes>()(held_stream(object)->held);
  G_OBJECT_CLASS(saccade_held_stream_parent_class)->finalize(object);
}

static void saccade_held_stream_class_init(SaccadeHeldStreamClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = saccade_held_stream_finalize;
  auto stream_class = G_INPUT_STREAM_CLASS(klass);
  stream_class->read_fn = saccade_held_stream_read;
  stream_class->read_async = saccade_held_stream_read_async;
  stream_class->read_finish = saccade_held_stream_read_finish;
}

static void saccade_held_stream_init(SaccadeHeldStream *self) {
  self->held = std::make_unique<HeldBytes>().release();
}

namespace saccade {

HeldBody::HeldBody(std::string head)
    : stream_(G_INPUT_STREAM(g_object_new(saccade_held_stream_get_type(), nullptr))) {
  held_stream(stream_.get())->held->bytes = std::move(head);
}

HeldBody::~HeldBody() {
  auto &held = *held_stream(stream_.get())->held;
  held.given_up = !held.complete;
  serve(held);
}

void HeldBody::complete(const std::string &tail) {
  auto &held = *held_stream(stream_.get())->held;
  held.bytes += tail;
  held.complete = true;
  serve(held);
}

}  // namespace saccade
