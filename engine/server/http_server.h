// saccade-server: a multimodal model behind OpenAI's chat completions, so that one box can be the cloud of
// many edges. docs/saccade-server.md says what a client may ask.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "server/answer_desk.h"

namespace saccade {

struct ServerOptions {
  ModelFiles files;
  std::string model_name;  // that clients see; empty = the text model's file name without its ending
  DeskOptions desk;
  std::string host = "127.0.0.1";  // an IP address; 0.0.0.0 or :: for all
  int port = 8080;                 // 0 = any that is free
  std::string tls_certificate;     // paths of PEM files; both or none
  std::string tls_key;
  std::string api_key_file;                              // empty = everybody may ask
  std::size_t max_request_size = std::size_t{16} << 20;  // bytes of a body
  // For all of a request to arrive, and for a connection on which nothing moves once it has begun one; a
  // connection that never says a word is kept. At least a millisecond.
  Duration request_timeout = std::chrono::seconds(60);
  double rate_limit = 0;  // requests per second and key, or address where there are no keys; 0 = no limit
  // Called with one line per request, on the server's thread, without line feed; neither keys nor contents
  // stand in it. Null = no log.
  std::function<void(std::string_view)> log;
};

// Listens on a thread of its own; answers are written on the desk's. Thread-safe.
class HttpServer {
 public:
  // Loads the model, then listens. Errors: those of AnswerDesk::open, and sentences about address,
  // certificate and key file.
  static Result<std::unique_ptr<HttpServer>> start(const ServerOptions &options);
  // Cancels what is not answered yet, and returns within one layer, slice or token of it; a second later
  // where somebody does not read what they are told.
  ~HttpServer();
  HttpServer(const HttpServer &) = delete;
  HttpServer &operator=(const HttpServer &) = delete;

  int port() const;
  std::string url() const;  // of its root, without a slash at the end

  // From now on new questions and GET /health get 503; what was taken is finished.
  void begin_drain();
  // Whether nothing that was taken is unanswered any more, after waiting for that so long at most.
  bool wait_until_drained(Duration at_most);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade
