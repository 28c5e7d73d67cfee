#include "faults/fault_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "base/file_descriptor.h"
#include "faults/loopback.h"

namespace saccade::faults {

namespace {

constexpr int kPollMilliseconds = 10;  // how soon a thread sees that it should stop

[[noreturn]] void fail_to_listen() {
  throw std::system_error(errno, std::generic_category(), "cannot listen on loopback");
}

// Has a port, on which it does not listen yet.
int bound_to_loopback(int *port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  const auto any = reinterpret_cast<sockaddr *>(&address);
  if (fd < 0 || ::bind(fd, any, size) != 0 || ::getsockname(fd, any, &size) != 0) fail_to_listen();
  *port = ntohs(address.sin_port);
  return fd;
}

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, kPollMilliseconds) > 0;
}

// False when the client left or a stop was asked for.
bool send_all(const std::stop_token &stop, int fd, const std::string &data) {
  std::size_t sent = 0;
  while (sent < data.size() && !stop.stop_requested()) {
    pollfd p{fd, POLLOUT, 0};
    if (::poll(&p, 1, kPollMilliseconds) <= 0) continue;
    const auto n = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return sent == data.size();
}

// Appends what has arrived; false when the client left.
bool receive_some(int fd, std::string *data) {
  char chunk[65536];
  const auto n = ::recv(fd, chunk, sizeof chunk, 0);
  if (n <= 0) return false;
  data->append(chunk, static_cast<std::size_t>(n));
  return true;
}

Request parse_head(const std::string &head) {
  Request request;
  std::size_t at = head.find("\r\n");
  request.line = head.substr(0, at);
  while (at != std::string::npos && at + 2 < head.size()) {
    const auto end = head.find("\r\n", at + 2);
    const auto line = head.substr(at + 2, end - at - 2);
    if (const auto colon = line.find(':'); colon != std::string::npos) {
      auto name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      const auto value = line.find_first_not_of(' ', colon + 1);
      request.headers[name] = value == std::string::npos ? "" : line.substr(value);
    }
    at = end;
  }
  return request;
}

// What chunks say together; nothing while the last one is missing.
std::optional<std::string> joined_chunks(const std::string &data) {
  std::string body;
  for (std::size_t at = 0;;) {
    const auto line = data.find("\r\n", at);
    if (line == std::string::npos) return std::nullopt;
    const auto size = std::strtoul(data.c_str() + at, nullptr, 16);
    if (data.size() < line + 2 + size + 2) return std::nullopt;
    if (size == 0) return body;
    body += data.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
}

// Of what came behind the head; nothing while something is missing.
std::optional<std::string> body_of(const Request &request, const std::string &data) {
  if (request.headers.contains("transfer-encoding")) return joined_chunks(data);
  const auto length = request.headers.find("content-length");
  if (length != request.headers.end() && data.size() < std::strtoul(length->second.c_str(), nullptr, 10))
    return std::nullopt;
  return data;
}

std::optional<Request> read_request(const std::stop_token &stop, int fd, std::atomic<std::size_t> &bytes) {
  std::string data;
  std::optional<Request> request;
  while (!stop.stop_requested()) {
    const auto head_end = data.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      if (!request) request = parse_head(data.substr(0, head_end));
      if (auto body = body_of(*request, data.substr(head_end + 4))) {
        request->body = std::move(*body);
        return request;
      }
    }
    const auto before = data.size();
    if (readable(fd) && !receive_some(fd, &data)) return std::nullopt;
    bytes += data.size() - before;
  }
  return std::nullopt;
}

std::string head(const Behaviour &behaviour, const std::string &length_header) {
  const bool typed = behaviour.headers.find("Content-Type") != std::string::npos;
  return "HTTP/1.1 " + std::to_string(behaviour.status) + " Whatever\r\n" +
         (typed ? "" : "Content-Type: application/json\r\n") +
         (behaviour.keeps ? "" : "Connection: close\r\n") + length_header + behaviour.headers + "\r\n";
}

std::string length_of(std::size_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; }

void wait_until_client_leaves(const std::stop_token &stop, int fd) {
  std::string ignored;
  while (!stop.stop_requested()) {
    if (readable(fd) && !receive_some(fd, &ignored)) return;
  }
}

void flood(const std::stop_token &stop, int fd, const Behaviour &behaviour) {
  const bool chunked = behaviour.announced == 0;
  if (!send_all(
          stop, fd,
          head(behaviour, chunked ? "Transfer-Encoding: chunked\r\n" : length_of(behaviour.announced)))) {
    return;
  }
  const std::string blanks(0x10000, ' ');
  while (send_all(stop, fd, chunked ? "10000\r\n" + blanks + "\r\n" : blanks)) {
  }
}

// Ten bytes a second, until all is sent or the client leaves.
void drip(const std::stop_token &stop, int fd, const std::string &response) {
  std::string ignored;
  for (const char byte : response) {
    for (int i = 0; i < 100 / kPollMilliseconds; ++i)
      if (stop.stop_requested() || (readable(fd) && !receive_some(fd, &ignored))) return;
    if (!send_all(stop, fd, std::string(1, byte))) return;
  }
}

void behave(const std::stop_token &stop, int fd, const Behaviour &behaviour) {
  switch (behaviour.kind) {
    case Behaviour::Kind::reply:
      send_all(stop, fd, head(behaviour, length_of(behaviour.body.size())) + behaviour.body);
      if (behaviour.keeps) return;
      ::shutdown(fd, SHUT_WR);
      return wait_until_client_leaves(stop, fd);
    case Behaviour::Kind::hang: return wait_until_client_leaves(stop, fd);
    case Behaviour::Kind::hang_mid_body:
      send_all(stop, fd, head(behaviour, length_of(2 * behaviour.body.size())) + behaviour.body);
      return wait_until_client_leaves(stop, fd);
    case Behaviour::Kind::cut:
      send_all(stop, fd, head(behaviour, length_of(2 * behaviour.body.size())) + behaviour.body);
      ::shutdown(fd, SHUT_WR);
      return wait_until_client_leaves(stop, fd);
    case Behaviour::Kind::drip:
      return drip(stop, fd, head(behaviour, length_of(behaviour.body.size())) + behaviour.body);
    case Behaviour::Kind::reset: {
      const linger at_once{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return;
    }
    case Behaviour::Kind::flood: return flood(stop, fd, behaviour);
  }
}

}  // namespace

std::string completion(const std::string &text, double log_probability) {
  return R"({"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":")" +
         text + R"("},"finish_reason":"stop","logprobs":{"content":[{"token":"a","logprob":)" +
         std::to_string(log_probability) + "}]}}]}";
}

std::string chunk(const std::string &text, const std::string &finish_reason, const std::string &more) {
  std::string json = R"({"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":")";
  json += text;
  json += R"("},"finish_reason":)";
  json += finish_reason.empty() ? "null" : R"(")" + finish_reason + R"(")";
  return json.append("}]").append(more).append("}");
}

Behaviour Behaviour::events(const std::vector<std::string> &data) {
  std::string body;
  for (const auto &one : data) body += "data: " + one + "\n\n";
  return reply(200, body + "data: [DONE]\n\n", "Content-Type: text/event-stream\r\n");
}

FaultServer::FaultServer(std::vector<Behaviour> script) : script_(std::move(script)) {
  if (script_.empty()) throw std::invalid_argument("a fault server needs at least one behaviour");
  listener_ = bound_to_loopback(&port_);
  if (::listen(listener_, 64) != 0) fail_to_listen();
  acceptor_ = std::jthread([this](const std::stop_token &stop) { accept_connections(stop); });
}

FaultServer::~FaultServer() {
  acceptor_.request_stop();
  acceptor_.join();
  connections_.clear();  // asks each to stop and joins it
  ::close(listener_);
}

void FaultServer::accept_connections(const std::stop_token &stop) {
  while (!stop.stop_requested()) {
    if (!readable(listener_)) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    ++connection_count_;
    connections_.emplace_back([this, connection](const std::stop_token &asked) {
      serve(asked, connection);
      ::close(connection);
    });
  }
}

void FaultServer::serve(const std::stop_token &stop, int connection) {
  while (auto request = read_request(stop, connection, bytes_)) {
    const auto behaviour = note(std::move(*request));
    behave(stop, connection, behaviour);
    if (!behaviour.keeps) return;
  }
}

Behaviour FaultServer::note(Request request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  return script_[std::min(requests_.size(), script_.size()) - 1];
}

std::string FaultServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::vector<Request> FaultServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t FaultServer::request_count() const { return requests().size(); }

void FaultServer::wait_for_requests(std::size_t count) const {
  while (request_count() < count) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void FaultServer::wait_for_bytes(std::size_t count) const {
  while (bytes_ < count) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

std::string refused_url() {
  static int port = 0;
  static const FileDescriptor keeper(bound_to_loopback(&port));
  return "http://127.0.0.1:" + std::to_string(port);
}

}  // namespace saccade::faults
