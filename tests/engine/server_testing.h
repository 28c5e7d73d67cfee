// What the tests of saccade-server share: a server with the shipped model in this process, and a plain client
// that can also misbehave.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/json_read.h"
#include "faults/loopback.h"
#include "server/http_server.h"
#include "street_pictures.h"

namespace saccade {

// A connection to a server on loopback. Reads give up after a minute, so that no test hangs.
class Connection {
 public:
  explicit Connection(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = faults::loopback(port);
    const timeval limit{60, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
  }
  ~Connection() { close(); }
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Empty when the other side has closed, or said nothing for a minute.
  std::string receive() const {
    char bytes[16384];
    const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
    return got > 0 ? std::string(bytes, static_cast<std::size_t>(got)) : std::string();
  }
  std::string receive_all() const {
    std::string all;
    for (auto more = receive(); !more.empty(); more = receive()) all += more;
    return all;
  }

 private:
  int fd_;
  bool connected_ = false;
};

struct Response {
  int status = 0;
  std::string head;
  std::string body;

  bool has(std::string_view words) const { return body.find(words) != std::string::npos; }
};

inline std::string without_chunks(std::string_view body) {
  std::string text;
  while (!body.empty()) {
    const auto size = std::strtoul(std::string(body.substr(0, 16)).c_str(), nullptr, 16);
    const auto begin = body.find("\r\n");
    if (size == 0 || begin == std::string_view::npos) break;
    text += body.substr(begin + 2, size);
    body.remove_prefix(std::min(body.size(), begin + 2 + size + 2));
  }
  return text;
}

inline Response parse_response(const std::string &raw) {
  const auto end = raw.find("\r\n\r\n");
  if (end == std::string::npos || raw.size() < 12) return {};
  Response response{std::atoi(raw.c_str() + 9), raw.substr(0, end), raw.substr(end + 4)};
  if (response.head.find("chunked") != std::string::npos) response.body = without_chunks(response.body);
  return response;
}

inline std::string post_head(const std::string &path, std::size_t length, const std::string &headers = {}) {
  return "POST " + path + std::string(" HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: ") +
         std::to_string(length) + "\r\n" + headers + "\r\n";
}

// A parsed response; gives strings and numbers by the path of names to them, where a number is a place.
class Json {
 public:
  explicit Json(const std::string &text) : parser_(parse_json(text, 64)) {
    EXPECT_TRUE(parser_.ok()) << text;
  }
  JsonNode *at(const std::vector<std::string> &path) const {
    JsonNode *node = parser_.ok() ? json_parser_get_root(parser_.value().get()) : nullptr;
    for (const auto &step : path) {
      if (JsonArray *array = array_of(node)) {
        const auto place = static_cast<guint>(std::stoul(step));
        node = place < json_array_get_length(array) ? json_array_get_element(array, place) : nullptr;
      } else {
        node = member(node, step.c_str());
      }
    }
    return node;
  }
  std::string text(const std::vector<std::string> &path) const {
    const char *text = string_of(at(path));
    return text ? text : "(none)";
  }
  double number(const std::vector<std::string> &path) const {
    JsonNode *node = at(path);
    return is_number(node) ? json_node_get_double(node) : -1e9;
  }
  std::size_t length(const std::vector<std::string> &path) const {
    JsonArray *array = array_of(at(path));
    return array ? json_array_get_length(array) : 0;
  }
  std::string content() const { return text({"choices", "0", "message", "content"}); }

 private:
  Result<ObjectPointer<JsonParser>> parser_;
};

inline std::string base64(const std::string &bytes) {
  const CString text(g_base64_encode(reinterpret_cast<const guchar *>(bytes.data()), bytes.size()));
  return text.get();
}

// ending: ".png" or ".jpg"
inline std::string picture_file(const Image &image, const char *ending) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const auto *rgb = &image.rgb[static_cast<std::size_t>((y * image.width + x) * 3)];
      bgr.at<cv::Vec3b>(y, x) = {rgb[2], rgb[1], rgb[0]};
    }
  std::vector<std::uint8_t> bytes;
  cv::imencode(ending, bgr, bytes);
  return {bytes.begin(), bytes.end()};
}

inline std::string image_part(const std::string &url) {
  return R"({"type":"image_url","image_url":{"url":")" + url + "\"}}";
}
inline std::string text_part(const std::string &text) { return R"({"type":"text","text":")" + text + "\"}"; }
inline std::string message(const std::string &role, const std::string &content) {
  return R"({"role":")" + role + R"(","content":)" + content + "}";
}

class ServerTest : public testing::Test {
 protected:
  static constexpr const char *kChat = "/v1/chat/completions";
  static constexpr const char *kQuestion = "is it day or night?";
  static constexpr const char *kDescribe = "describe the scene.";
  // An answer of as many tokens as fit: it never comes to its end.
  static constexpr const char *kLong =
      R"("response_format":{"type":"json_schema","json_schema":{"name":"long","schema":{"type":"array",)"
      R"("minItems":1000,"maxItems":1000,"items":{"type":"string","minLength":200,"maxLength":200}}}})";

  static ServerOptions options() {
    ServerOptions options;
    options.files = shipped_model();
    options.port = 0;
    options.desk.parallel = 2;
    options.desk.session.max_tokens = 100'000;
    options.desk.session.guesses = 8;
    return options;
  }
  void start(ServerOptions options = ServerTest::options()) {
    options.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_.append(line).append("\n");
    };
    auto started = HttpServer::start(options);
    ASSERT_TRUE(started.ok()) << started.status().message();
    server_ = std::move(started).value();
  }

  static std::string street(bool day, const char *ending = ".png") {
    const char *type =
        std::string_view(ending) == ".png" ? "data:image/png;base64," : "data:image/jpeg;base64,";
    return type + base64(picture_file(plain_street(96, 64, day), ending));
  }
  // A request about a street; more: further fields, without the comma before them.
  static std::string about(bool day, const std::string &question, const std::string &more = {},
                           const std::string &more_messages = {}) {
    return std::string(R"({"model":"any","messages":[)") +
           message("user", std::string("[") + image_part(street(day)) + "," + text_part(question) + "]") +
           more_messages + "]" + (more.empty() ? "" : "," + more) + "}";
  }

  Response request(const std::string &bytes) const {
    const Connection connection(server_->port());
    EXPECT_TRUE(connection.send(bytes));
    return parse_response(connection.receive_all());
  }
  Response get(const std::string &path) const {
    return request("GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  }
  Response post(const std::string &body, const std::string &headers = {}) const {
    return request(post_head(kChat, body.size(), headers) + body);
  }
  Json answer(const std::string &body) const {
    const auto response = post(body);
    EXPECT_EQ(response.status, 200) << response.body;
    return Json(response.status == 200 ? response.body : "{}");
  }
  // A metric without labels, or with these.
  double metric(const std::string &name, const std::string &labels = {}) const {
    const auto text = get("/metrics").body;
    const auto line = "\n" + name + "{" + labels + "} ";
    const auto at = text.find(line);
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + line.size());
  }
  // Waits, for a minute at most, until `holds`.
  template <typename Condition>
  static bool eventually(Condition holds) {
    for (int i = 0; i < 12'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  mutable std::mutex mutex_;
  std::string log_;
  std::unique_ptr<HttpServer> server_;  // last: it writes the log to its end
};

}  // namespace saccade
