#include "server/http_server.h"

#include <filesystem>
#include <utility>

#include "server/http_server_impl.h"

namespace saccade {
namespace {

constexpr guint kLastWords = 1'000;  // ms that a stop waits for those who do not read what they are told

Status failed_to_listen(const ServerOptions &options, const GError &error) {
  return {StatusKind::unavailable, "cannot listen on " + options.host + " port " +
                                       std::to_string(options.port) + ": " + error.message +
                                       ". Choose another --port or --host"};
}

}  // namespace

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerOptions &options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->rate = RateLimit(options.rate_limit);
  if (impl->options.model_name.empty())
    impl->options.model_name = std::filesystem::path(options.files.text).stem().string();
  if (auto status = impl->open(); !status.ok()) return status;
  impl->thread = std::jthread([own = impl.get()](const std::stop_token &stop) { own->run(stop); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

Status HttpServer::Impl::open() {
  if (!options.api_key_file.empty()) {
    auto read = ApiKeys::read(options.api_key_file);
    if (!read.ok()) return read.status();
    keys = std::move(read).value();
  }
  g_main_context_push_thread_default(context.get());
  auto status = listen();
  g_main_context_pop_thread_default(context.get());
  if (!status.ok()) return status;
  // Last, for it takes seconds, and nothing is answered before the thread runs.
  auto opened = AnswerDesk::open(options.files, options.desk);
  if (!opened.ok()) return opened.status();
  desk = std::move(opened).value();
  return {};
}

Status HttpServer::Impl::listen() {
  const bool tls = !options.tls_certificate.empty() || !options.tls_key.empty();
  ObjectPointer<GTlsCertificate> certificate;
  GError *error = nullptr;
  if (tls) {
    certificate.reset(
        g_tls_certificate_new_from_files(options.tls_certificate.c_str(), options.tls_key.c_str(), &error));
    const ErrorPointer freed(error);
    if (!certificate)
      return {StatusKind::invalid_argument, "cannot use tls-cert \"" + options.tls_certificate +
                                                "\" with tls-key \"" + options.tls_key +
                                                "\": " + error->message + ". Both are PEM files"};
  }
  soup.reset(
      soup_server_new("tls-certificate", certificate.get(), "server-header", "saccade-server", nullptr));
  g_signal_connect(soup.get(), "request-started",
                   G_CALLBACK(+[](SoupServer *, SoupServerMessage *message, gpointer self) {
                     static_cast<Impl *>(self)->begun(message);
                   }),
                   this);
  soup_server_add_early_handler(
      soup.get(), nullptr,
      [](SoupServer *, SoupServerMessage *message, const char *path, GHashTable *, gpointer self) {
        static_cast<Impl *>(self)->arrived(message, path);
      },
      this, nullptr);
  soup_server_add_handler(
      soup.get(), nullptr,
      [](SoupServer *, SoupServerMessage *message, const char *path, GHashTable *, gpointer self) {
        static_cast<Impl *>(self)->handle(message, path);
      },
      this, nullptr);
  const ObjectPointer<GSocketAddress> address(
      g_inet_socket_address_new_from_string(options.host.c_str(), static_cast<guint>(options.port)));
  if (!address)
    return {
        StatusKind::invalid_argument,
        "host \"" + options.host + "\" is no IP address; 127.0.0.1 is this machine, 0.0.0.0 all networks"};
  const auto how = tls ? SOUP_SERVER_LISTEN_HTTPS : SoupServerListenOptions(0);
  if (!soup_server_listen(soup.get(), address.get(), how, &error)) {
    const ErrorPointer freed(error);
    return failed_to_listen(options, *error);
  }
  GSList *uris = soup_server_get_uris(soup.get());
  port = g_uri_get_port(static_cast<GUri *>(uris->data));
  g_slist_free_full(uris, [](gpointer uri) { g_uri_unref(static_cast<GUri *>(uri)); });
  return {};
}

void HttpServer::Impl::run(const std::stop_token &stop) {
  g_main_context_push_thread_default(context.get());
  const std::stop_callback wake(stop, [this] { g_main_context_wakeup(context.get()); });
  while (!stop.stop_requested()) {
    g_main_context_iteration(context.get(), TRUE);
    inbox.run();
  }
  // What the desk still has is cancelled, and heard of, so that nobody is left without a word.
  for (const auto &exchange : exchanges) exchange->cancel();
  desk.reset();
  inbox.run();
  send_last_words();
  soup_server_disconnect(soup.get());
  while (g_main_context_iteration(context.get(), FALSE)) {
  }
  exchanges.clear();
  soup.reset();
  g_main_context_pop_thread_default(context.get());
}

// libsoup writes some of them on other threads: that there is nothing to do just now does not mean that all
// is sent.
void HttpServer::Impl::send_last_words() {
  bool late = false;
  const SourcePointer timer(g_timeout_source_new(kLastWords));
  g_source_set_callback(
      timer.get(),
      [](gpointer flag) -> gboolean {
        *static_cast<bool *>(flag) = true;
        return G_SOURCE_REMOVE;
      },
      &late, nullptr);
  g_source_attach(timer.get(), context.get());
  while (!exchanges.empty() && !late) g_main_context_iteration(context.get(), TRUE);
}

HttpServer::~HttpServer() {
  impl_->draining = true;
  impl_->thread.request_stop();
  impl_->thread.join();
}

int HttpServer::port() const { return impl_->port; }

std::string HttpServer::url() const {
  const auto &options = impl_->options;
  const auto host = options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";
  return (options.tls_certificate.empty() ? "http://" : "https://") + host + ":" +
         std::to_string(impl_->port);
}

void HttpServer::begin_drain() { impl_->draining = true; }

bool HttpServer::wait_until_drained(Duration at_most) {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, at_most, [this] { return impl_->unanswered == 0; });
}

void HttpServer::Impl::count_unanswered(int more) {
  const std::lock_guard lock(mutex);
  unanswered += static_cast<std::size_t>(more);
  figures.in_flight = unanswered;
  changed.notify_all();
}

}  // namespace saccade
