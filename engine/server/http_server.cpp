#include "server/http_server.h"

#include <libsoup/soup.h>

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/glib_inbox.h"
#include "base/glib_pointer.h"
#include "server/api_keys.h"
#include "server/exchange.h"
#include "server/rate_limit.h"
#include "server/reply.h"
#include "server/server_metrics.h"

namespace saccade {
namespace {

constexpr const char *kChat = "/v1/chat/completions";
constexpr const char *kModels = "/v1/models";
constexpr const char *kHealth = "/health";
constexpr const char *kMetrics = "/metrics";

// Bytes of a refused body that are still read, so that a client which sends first and reads then sees why.
constexpr std::size_t kPatience = std::size_t{64} << 20;
constexpr unsigned kTooManyRequests = 429;  // libsoup has no name for it
constexpr auto kDrainHint = std::chrono::seconds(5);

// What a request was, for the log, until it is over. Owned by its message.
struct Visit {
  Clock::time_point since = Clock::now();
  std::size_t received = 0;  // bytes of the body
  std::string account;
  bool client_left = false;
};
constexpr const char *kVisit = "saccade-visit";

Visit &visit_of(SoupServerMessage *message) {
  return *static_cast<Visit *>(g_object_get_data(G_OBJECT(message), kVisit));
}

bool is_route(std::string_view path) {
  return path == kChat || path == kModels || path == kHealth || path == kMetrics;
}

Status failed_to_listen(const ServerOptions &options, const GError &error) {
  return {StatusKind::unavailable, "cannot listen on " + options.host + " port " +
                                       std::to_string(options.port) + ": " + error.message +
                                       ". Choose another --port or --host"};
}

}  // namespace

struct HttpServer::Impl {
  ServerOptions options;
  ApiKeys keys;
  std::unique_ptr<AnswerDesk> desk;
  ContextPointer context{g_main_context_new()};
  Inbox inbox{context.get()};
  ObjectPointer<SoupServer> soup;
  int port = 0;
  std::atomic<bool> draining = false;

  // The server thread's:
  std::set<std::shared_ptr<Exchange>> exchanges;
  RateLimit rate{0};
  ServerFigures figures;
  std::uint64_t last_id = 0;

  std::mutex mutex;  // both below
  std::condition_variable changed;
  std::size_t unanswered = 0;

  std::jthread thread;  // last: it uses all above

  Status open();
  Status listen();
  void run(const std::stop_token &stop);

  void arrived(SoupServerMessage *message, std::string_view path);
  void received(SoupServerMessage *message, std::size_t bytes);
  void handle(SoupServerMessage *message, std::string_view path);
  void finished(SoupServerMessage *message);

  bool admits(SoupServerMessage *message, std::string_view path);
  void refuse(SoupServerMessage *message, unsigned status, std::string_view sentence);
  void refuse_size(SoupServerMessage *message);
  void chat(SoupServerMessage *message);
  void ended(Exchange &exchange);
  void count_unanswered(int more);
};

// --- the life of the server -----------------------------------------------------------------------------

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
  while (g_main_context_iteration(context.get(), FALSE)) {
  }
  soup_server_disconnect(soup.get());
  while (g_main_context_iteration(context.get(), FALSE)) {
  }
  exchanges.clear();
  soup.reset();
  g_main_context_pop_thread_default(context.get());
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

// --- a request: its head, its body, its answer, its end --------------------------------------------------

// Decides by the head alone whether the body is worth reading.
void HttpServer::Impl::arrived(SoupServerMessage *message, std::string_view path) {
  g_object_set_data_full(G_OBJECT(message), kVisit, std::make_unique<Visit>().release(), [](gpointer visit) {
    const std::unique_ptr<Visit> freed(static_cast<Visit *>(visit));
  });
  // After the exchange has heard of it.
  g_signal_connect_after(message, "finished", G_CALLBACK(+[](SoupServerMessage *ended, gpointer self) {
                           static_cast<Impl *>(self)->finished(ended);
                         }),
                         this);
  g_signal_connect(message, "got-chunk",
                   G_CALLBACK(+[](SoupServerMessage *grown, GBytes *chunk, gpointer self) {
                     static_cast<Impl *>(self)->received(grown, g_bytes_get_size(chunk));
                   }),
                   this);
  if (!admits(message, path)) return;
  auto *headers = soup_server_message_get_request_headers(message);
  const auto announced = soup_message_headers_get_content_length(headers);
  if (announced > 0 && static_cast<std::size_t>(announced) > options.max_request_size) refuse_size(message);
}

bool HttpServer::Impl::admits(SoupServerMessage *message, std::string_view path) {
  if (!is_route(path)) {
    refuse(message, SOUP_STATUS_NOT_FOUND,
           "there is no such path here: POST /v1/chat/completions, GET /v1/models, /health or /metrics");
    return false;
  }
  const bool post = path == kChat;
  if (const std::string_view method = soup_server_message_get_method(message);
      method != (post ? "POST" : "GET")) {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Allow",
                                 post ? "POST" : "GET");
    refuse(message, SOUP_STATUS_METHOD_NOT_ALLOWED,
           post ? "a chat completion is asked with POST" : "this path is read with GET");
    return false;
  }
  if (path == kHealth || path == kMetrics) return true;
  const auto key = keys.find(
      soup_message_headers_get_one(soup_server_message_get_request_headers(message), "Authorization"));
  const bool known = keys.empty() || key;
  // Whoever tries keys is counted by address.
  const auto client = key ? "key " + std::to_string(*key) : "address " + address_of(message);
  if (const auto wait = rate.ask(client); wait > Duration::zero()) {
    set_retry_after(message, wait);
    refuse(message, kTooManyRequests,
           "more requests came from this client than the server takes in a second; try again later");
    return false;
  }
  if (!known) {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "WWW-Authenticate",
                                 "Bearer");
    refuse(message, SOUP_STATUS_UNAUTHORIZED,
           "this server wants an API key that it knows: send the header Authorization: Bearer KEY");
    return false;
  }
  if (draining && post) {
    set_retry_after(message, kDrainHint);
    refuse(message, SOUP_STATUS_SERVICE_UNAVAILABLE, "the server is stopping and takes no new questions");
    return false;
  }
  return true;
}

// The rest of the body is read, but kept nowhere.
void HttpServer::Impl::refuse(SoupServerMessage *message, unsigned status, std::string_view sentence) {
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
  soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection", "close");
  reply_error(message, status, sentence);
}

void HttpServer::Impl::refuse_size(SoupServerMessage *message) {
  refuse(message, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
         "the request is larger than this server takes, which is " +
             std::to_string(options.max_request_size) +
             " bytes (--max-request-size). Send fewer or smaller pictures");
}

void HttpServer::Impl::received(SoupServerMessage *message, std::size_t bytes) {
  auto &so_far = visit_of(message).received;
  so_far += bytes;
  const bool refused = soup_server_message_get_status(message) != 0;
  if (!refused && so_far > options.max_request_size) refuse_size(message);
  if (so_far <= options.max_request_size + kPatience) return;
  const ObjectPointer<GIOStream> connection(soup_server_message_steal_connection(message));
  if (connection) g_io_stream_close(connection.get(), nullptr, nullptr);
}

void HttpServer::Impl::handle(SoupServerMessage *message, std::string_view path) {
  if (!desk) return reply_error(message, SOUP_STATUS_SERVICE_UNAVAILABLE, "the server has stopped");
  if (path == kChat) return chat(message);
  if (path == kModels) {
    return reply_json(message, SOUP_STATUS_OK,
                      models_json(options.model_name, static_cast<std::int64_t>(std::time(nullptr))));
  }
  if (path == kHealth) {
    if (draining) set_retry_after(message, kDrainHint);
    return draining ? reply_json(message, SOUP_STATUS_SERVICE_UNAVAILABLE, R"({"status":"draining"})")
                    : reply_json(message, SOUP_STATUS_OK, R"({"status":"ok"})");
  }
  figures.draining = draining;
  reply(message, SOUP_STATUS_OK, "text/plain; version=0.0.4", metrics_text(figures, desk->figures()));
}

void HttpServer::Impl::chat(SoupServerMessage *message) {
  const BytesPointer body(soup_message_body_flatten(soup_server_message_get_request_body(message)));
  gsize size = 0;
  const auto *bytes = static_cast<const char *>(g_bytes_get_data(body.get(), &size));
  auto request = parse_chat_request({bytes ? bytes : "", size});
  // Megabytes, which nobody needs while the answer is written.
  soup_message_body_truncate(soup_server_message_get_request_body(message));
  if (!request.ok())
    return reply_error(message, http_status_of(request.status()), request.status().message());
  ResponseHead head;
  head.id = "chatcmpl-" + std::to_string(++last_id);
  head.created = static_cast<std::int64_t>(std::time(nullptr));
  head.model = options.model_name;
  auto exchange =
      std::make_shared<Exchange>(message, inbox, std::move(head), [this](Exchange &over) { ended(over); });
  if (!exchange->begin(*desk, std::move(request).value())) {
    set_retry_after(message, desk->expected_wait());
    return reply_error(message, kTooManyRequests,
                       "more questions wait than this server's queue takes; try again later");
  }
  exchanges.insert(std::move(exchange));
  count_unanswered(1);
}

void HttpServer::Impl::ended(Exchange &exchange) {
  auto &visit = visit_of(exchange.message());
  visit.account = exchange.account();
  visit.client_left = exchange.client_left();
  figures.seconds.add(Clock::now() - visit.since);
  exchanges.erase(exchange.shared_from_this());
  count_unanswered(-1);
}

void HttpServer::Impl::finished(SoupServerMessage *message) {
  const std::string_view path = g_uri_get_path(soup_server_message_get_uri(message));
  const auto &visit = visit_of(message);
  // Where a client has left, libsoup speaks of a failure of the server.
  const auto status = visit.client_left ? kClientLeft : soup_server_message_get_status(message);
  if (path != kHealth && path != kMetrics) ++figures.requests[status];
  if (!options.log) return;
  // What stands in an unknown path, or behind one, is the client's, and may be anything.
  auto line = address_of(message) + " " + (is_route(path) ? std::string(path) : "(unknown path)") + " " +
              std::to_string(status) + " " +
              std::to_string(static_cast<long>(to_milliseconds(Clock::now() - visit.since))) + " ms";
  if (!visit.account.empty()) line += ", " + visit.account;
  options.log(line);
}

}  // namespace saccade
