// A request's life: its head, its body, its answer, its end.
#include <cmath>
#include <ctime>
#include <optional>
#include <utility>

#include "server/http_server_impl.h"
#include "server/reply.h"

namespace saccade {
namespace {

constexpr const char *kChat = "/v1/chat/completions";
constexpr const char *kModels = "/v1/models";
constexpr const char *kHealth = "/health";
constexpr const char *kMetrics = "/metrics";

// Bytes of a refused body that are still read, so that a client which sends first and reads then sees why.
constexpr std::size_t kPatience = std::size_t{64} << 20;
constexpr unsigned kTooManyRequests = 429;  // libsoup has no name for it

// What a request was, until it is over. Owned by its message.
struct Visit {
  Clock::time_point since = Clock::now();
  SourcePointer too_slow;    // until all of it is there
  std::size_t received = 0;  // bytes of the body
  std::string account;
  std::optional<unsigned> status;  // of a chat completion that has ended
};
constexpr const char *kVisit = "saccade-visit";

Visit &visit_of(SoupServerMessage *message) {
  return *static_cast<Visit *>(g_object_get_data(G_OBJECT(message), kVisit));
}

bool is_route(std::string_view path) {
  return path == kChat || path == kModels || path == kHealth || path == kMetrics;
}

// Without a word, for whoever would not read it.
void hang_up_on(SoupServerMessage *message) {
  visit_of(message).too_slow.reset();
  const ObjectPointer<GIOStream> connection(soup_server_message_steal_connection(message));
  if (connection) g_io_stream_close(connection.get(), nullptr, nullptr);
}

}  // namespace

void HttpServer::Impl::begun(SoupServerMessage *message) {
  auto visit = std::make_unique<Visit>();
  visit->too_slow = too_slow(message);
  g_object_set_data_full(G_OBJECT(message), kVisit, visit.release(), [](gpointer ended) {
    const std::unique_ptr<Visit> freed(static_cast<Visit *>(ended));
  });
  // Of every single wait for the socket, so that readers that stand still end, too, and connections that are
  // idle after a request; libsoup shows us none before its first one.
  if (GSocket *socket = soup_server_message_get_socket(message))
    g_socket_set_timeout(socket, static_cast<guint>(std::ceil(to_seconds(options.request_timeout))));
  g_signal_connect(message, "got-chunk",
                   G_CALLBACK(+[](SoupServerMessage *grown, GBytes *chunk, gpointer self) {
                     static_cast<Impl *>(self)->received(grown, g_bytes_get_size(chunk));
                   }),
                   this);
  g_signal_connect(message, "got-body",
                   G_CALLBACK(+[](SoupServerMessage *whole, gpointer) { visit_of(whole).too_slow.reset(); }),
                   nullptr);
  // After the exchange has heard of it.
  g_signal_connect_after(message, "finished", G_CALLBACK(+[](SoupServerMessage *ended, gpointer self) {
                           static_cast<Impl *>(self)->finished(ended);
                         }),
                         this);
}

// Ends the connection when the whole request is not there in time.
SourcePointer HttpServer::Impl::too_slow(SoupServerMessage *message) const {
  const auto limit = static_cast<guint>(to_milliseconds(options.request_timeout));
  SourcePointer timer(g_timeout_source_new(limit));
  g_source_set_callback(
      timer.get(),
      [](gpointer late) -> gboolean {
        hang_up_on(SOUP_SERVER_MESSAGE(late));
        return G_SOURCE_REMOVE;
      },
      message, nullptr);
  g_source_attach(timer.get(), context.get());
  return timer;
}

// Decides by the head alone whether the body is worth reading.
void HttpServer::Impl::arrived(SoupServerMessage *message, std::string_view path) {
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
  hang_up_on(message);
}

void HttpServer::Impl::handle(SoupServerMessage *message, std::string_view path) {
  if (!desk) return reply_error(message, SOUP_STATUS_SERVICE_UNAVAILABLE, "the server has stopped");
  if (path == kChat) return chat(message);
  if (path == kModels) {
    return reply_json(message, SOUP_STATUS_OK,
                      models_json(options.model_name, static_cast<std::int64_t>(std::time(nullptr))));
  }
  if (path == kHealth) {
    if (draining) set_retry_after(message, kUnavailableHint);
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
  visit.status = exchange.status();
  figures.seconds.add(Clock::now() - visit.since);
  exchanges.erase(exchange.shared_from_this());
  count_unanswered(-1);
}

void HttpServer::Impl::finished(SoupServerMessage *message) {
  GUri *uri = soup_server_message_get_uri(message);  // null where even that could not be read
  const std::string_view path = uri ? g_uri_get_path(uri) : "";
  const auto &visit = visit_of(message);
  // Where a client has left, libsoup speaks of a failure of the server.
  const auto status = visit.status.value_or(soup_server_message_get_status(message));
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
