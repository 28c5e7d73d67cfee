// A client that is stopped while somebody whom libsoup waits for does not let go.
#include <gio/gio.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/glib_pointer.h"
#include "offload/cloud/late_release.h"
#include "offload_cloud.h"

namespace {

// The lookups that have not been answered.
struct Questions {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<saccade::ObjectPointer<GTask>> open;
};

Questions &questions() {
  static Questions all;
  return all;
}

struct SaccadeSilentResolver {
  GResolver parent;
};

struct SaccadeSilentResolverClass {
  GResolverClass parent;
};

}  // namespace

G_DEFINE_TYPE(SaccadeSilentResolver, saccade_silent_resolver, G_TYPE_RESOLVER)

// A name server that is asked and says nothing, be the question cancelled or not.
static void saccade_silent_resolver_ask(GResolver *resolver, const char *, GResolverNameLookupFlags,
                                        GCancellable *cancellable, GAsyncReadyCallback callback,
                                        gpointer data) {
  auto &all = questions();
  const std::lock_guard lock(all.mutex);
  all.open.emplace_back(g_task_new(resolver, cancellable, callback, data));
  all.changed.notify_all();
}

static GList *saccade_silent_resolver_answer(GResolver *, GAsyncResult *result, GError **error) {
  return static_cast<GList *>(g_task_propagate_pointer(G_TASK(result), error));
}

static void saccade_silent_resolver_class_init(SaccadeSilentResolverClass *klass) {
  auto resolver_class = G_RESOLVER_CLASS(klass);
  resolver_class->lookup_by_name_with_flags_async = saccade_silent_resolver_ask;
  resolver_class->lookup_by_name_with_flags_finish = saccade_silent_resolver_answer;
}

static void saccade_silent_resolver_init(SaccadeSilentResolver *) {}

namespace saccade {
namespace {

void answer_all() {
  auto &all = questions();
  const std::lock_guard lock(all.mutex);
  for (const auto &task : all.open)
    g_task_return_new_error(task.get(), G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "no such name");
  all.open.clear();
}

void wait_for_a_question() {
  auto &all = questions();
  std::unique_lock lock(all.mutex);
  all.changed.wait(lock, [&] { return !all.open.empty(); });
}

// Breaks when a name server that hangs holds a stop, or when its answer, which comes after the call was given
// up, is told to a call that is gone.
TEST(CloudClientStop, DoesNotWaitForANameServer) {
  const ObjectPointer<GResolver> usual(g_resolver_get_default());
  const ObjectPointer<GResolver> silent(
      G_RESOLVER(g_object_new(saccade_silent_resolver_get_type(), nullptr)));
  g_resolver_set_default(silent.get());
  for (const auto &draft : {std::optional<std::string>(""), std::optional<std::string>()}) {
    int ended = 0;
    auto client = CloudClient::create(settings_for("http://nowhere.example/v1"));
    ASSERT_TRUE(client.ok());
    const auto done = [&](const CloudOutcome &outcome) {
      EXPECT_EQ(outcome.answer.status().kind(), StatusKind::cancelled);
      ++ended;
      answer_all();  // on the client's thread, which hears of it when it looks at its context again
    };
    ASSERT_TRUE(client.value()->submit(kQuestion, {.done = done, .draft = draft}).ok());
    wait_for_a_question();
    client.value()->stop();
    EXPECT_EQ(ended, 1);
    answer_all();
  }
  g_resolver_set_default(usual.get());
}

// Breaks when a message goes at the very end of its call, at which GLib's thread may still be busy with its
// body, or is kept for ever.
TEST(LateRelease, KeepsForAMoment) {
  gpointer object = g_object_new(G_TYPE_OBJECT, nullptr);
  auto owned = ObjectPointer<GObject>(G_OBJECT(object));
  g_object_add_weak_pointer(owned.get(), &object);
  {
    LateRelease late;
    late.keep(std::move(owned));
    EXPECT_NE(object, nullptr);
  }
  EXPECT_EQ(object, nullptr);
}

}  // namespace
}  // namespace saccade
