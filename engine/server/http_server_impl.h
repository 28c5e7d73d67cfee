// What a server is made of. Included by http_server.cpp, its life, and http_requests.cpp, its requests'
// lives.
#pragma once

#include <libsoup/soup.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include "base/glib_inbox.h"
#include "base/glib_pointer.h"
#include "server/api_keys.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/rate_limit.h"
#include "server/server_metrics.h"

namespace saccade {

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
  void send_last_words();

  // In the order in which a request lives it.
  void begun(SoupServerMessage *message);
  void arrived(SoupServerMessage *message, std::string_view path);
  void received(SoupServerMessage *message, std::size_t bytes);
  void handle(SoupServerMessage *message, std::string_view path);
  void finished(SoupServerMessage *message);

  SourcePointer too_slow(SoupServerMessage *message) const;
  bool admits(SoupServerMessage *message, std::string_view path);
  void refuse(SoupServerMessage *message, unsigned status, std::string_view sentence);
  void refuse_size(SoupServerMessage *message);
  void chat(SoupServerMessage *message);
  void ended(Exchange &exchange);
  void count_unanswered(int more);
};

}  // namespace saccade
