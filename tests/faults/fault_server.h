// A web server on loopback that misbehaves as told, for tests of whoever talks HTTP. Plain sockets, one
// thread per connection; every request is kept for the test to look at.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace saccade::faults {

struct Request {
  std::string line;                            // "POST /v1/chat/completions HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // its chunks joined, where it came in chunks
};

// What the server does once it has read a request.
struct Behaviour {
  enum class Kind {
    reply,          // status, headers, body
    hang,           // reads the request and says nothing
    hang_mid_body,  // announces twice the body and stops after it
    cut,            // announces twice the body and leaves after it
    drip,           // sends the reply a byte at a time, ten a second
    reset,          // closes with a TCP reset
    flood,  // announces `announced` bytes (0 = nothing, then chunked) and sends until the client leaves
  };
  Kind kind = Kind::reply;
  int status = 200;
  std::string headers = {};  // more header lines, each ending in \r\n
  std::string body = {};
  std::size_t announced = 0;
  bool keeps = false;  // the connection, for the next request, after a reply

  static Behaviour reply(int status, std::string body, std::string headers = {}) {
    return {Kind::reply, status, std::move(headers), std::move(body)};
  }
  // A stream of server-sent events, each with one of these as its data, and [DONE] at the end.
  static Behaviour events(const std::vector<std::string> &data);
  static Behaviour hang() { return {Kind::hang}; }
  static Behaviour hang_mid_body(std::string body) { return {Kind::hang_mid_body, 200, {}, std::move(body)}; }
  static Behaviour cut(std::string body, std::string headers = {}) {
    return {Kind::cut, 200, std::move(headers), std::move(body)};
  }
  static Behaviour drip(std::string body) { return {Kind::drip, 200, {}, std::move(body)}; }
  static Behaviour reset() { return {Kind::reset}; }
  static Behaviour flood(std::size_t announced) { return {Kind::flood, 200, {}, {}, announced}; }

  Behaviour kept_open() const {
    auto same = *this;
    same.keeps = true;
    return same;
  }
};

// A well-formed chat completion that says `text`, each token with the given log-probability.
std::string completion(const std::string &text, double log_probability = -0.1);

// One chunk of a streamed completion. `more`: members of the chunk beside its choices, each with a comma in
// front.
std::string chunk(const std::string &text, const std::string &finish_reason = "",
                  const std::string &more = "");

// Thread-safe. The n-th request is treated as the n-th behaviour says; the last one goes on for ever.
class FaultServer {
 public:
  explicit FaultServer(std::vector<Behaviour> script);
  ~FaultServer();
  FaultServer(const FaultServer &) = delete;
  FaultServer &operator=(const FaultServer &) = delete;

  int port() const { return port_; }
  std::string url() const;  // of the server's root, without a slash at the end
  std::vector<Request> requests() const;
  std::size_t request_count() const;
  std::size_t connection_count() const { return connection_count_; }
  // Blocks until that many requests have been read in full.
  void wait_for_requests(std::size_t count) const;
  // Blocks until that many bytes have come, of requests that are whole or not.
  void wait_for_bytes(std::size_t count) const;

 private:
  void accept_connections(const std::stop_token &stop);
  void serve(const std::stop_token &stop, int connection);
  Behaviour note(Request request);

  const std::vector<Behaviour> script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<std::size_t> connection_count_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::jthread> connections_;
  std::jthread acceptor_;
};

// A loopback URL where nobody listens: the process keeps the port, so that no other program does either.
std::string refused_url();

}  // namespace saccade::faults
