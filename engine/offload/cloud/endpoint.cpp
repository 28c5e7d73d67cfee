#include "offload/cloud/endpoint.h"

#include <glib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "base/glib_pointer.h"
#include "base/text.h"

namespace saccade {

namespace {

constexpr const char *kKeyVariable = "SACCADE_API_KEY";
constexpr std::size_t kMaxKeySize = 8192;  // longer than any header a server would take

UriPointer parse_uri(const std::string &text) {
  return UriPointer(g_uri_parse(text.c_str(), G_URI_FLAGS_NONE, nullptr));
}

Status bad_endpoint(const std::string &what) {
  return {StatusKind::invalid_argument,
          what + "; give the server's address, for example http://127.0.0.1:8080/v1/chat/completions"};
}

// A header value may hold visible ASCII only; anything else would end or split the header.
bool fits_a_header(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

Result<std::string> chat_completions_url(const std::string &typed) {
  const auto uri = parse_uri(typed);
  if (!uri) return bad_endpoint("endpoint is not a URL");
  const std::string_view scheme = g_uri_get_scheme(uri.get());
  if (scheme != "http" && scheme != "https") {
    return bad_endpoint("endpoint has the scheme \"" + std::string(scheme) +
                        "\", but only http and https are spoken");
  }
  const auto host = g_uri_get_host(uri.get());
  if (!host || !*host) return bad_endpoint("endpoint names no host");
  if (g_uri_get_userinfo(uri.get())) {
    return bad_endpoint(
        "endpoint carries a user name or password, which would end up in logs: use api-key-file");
  }

  std::string path = g_uri_get_path(uri.get());
  while (!path.empty() && path.back() == '/') path.pop_back();
  if (path.empty()) path = "/v1";
  if (path.ends_with("/v1")) path += "/chat/completions";
  const CString joined(g_uri_join(G_URI_FLAGS_NONE, scheme.data(), nullptr, host, g_uri_get_port(uri.get()),
                                  path.c_str(), g_uri_get_query(uri.get()), nullptr));
  return std::string(joined.get());
}

Result<std::vector<std::string>> chat_completions_urls(const std::string &typed) {
  constexpr const char *kBetween = ", \t\r\n";
  std::vector<std::string> urls;
  for (std::size_t at = 0; (at = typed.find_first_not_of(kBetween, at)) != std::string::npos;) {
    const auto end = std::min(typed.find_first_of(kBetween, at), typed.size());
    auto url = chat_completions_url(typed.substr(at, end - at));
    if (!url.ok()) return url.status();
    urls.push_back(std::move(url).value());
    at = end;
  }
  if (urls.empty()) return bad_endpoint("endpoint is empty");
  return urls;
}

std::string url_for_people(const std::string &url) {
  const auto uri = parse_uri(url);
  if (!uri) return "(no URL)";
  const CString joined(g_uri_join(G_URI_FLAGS_NONE, g_uri_get_scheme(uri.get()), nullptr,
                                  g_uri_get_host(uri.get()), g_uri_get_port(uri.get()),
                                  g_uri_get_path(uri.get()), nullptr, nullptr));
  return joined.get();
}

Result<std::string> read_api_key(const std::string &path) {
  std::string key;
  std::string origin = std::string("environment variable ") + kKeyVariable;
  if (!path.empty()) {
    origin = "api-key-file \"" + path + "\"";
    std::ifstream file(path, std::ios::binary);
    std::string content(kMaxKeySize + 1, '\0');
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    if (!file.is_open() || file.bad()) {
      return Status(StatusKind::not_found, origin + " cannot be read; check that it exists and is readable");
    }
    content.resize(static_cast<std::size_t>(file.gcount()));
    if (content.size() > kMaxKeySize) {
      return Status(StatusKind::invalid_argument,
                    origin + " is too long to be an API key; it holds one line, the key");
    }
    key = trimmed(content);
    if (key.empty())
      return Status(StatusKind::invalid_argument, origin + " is empty; put the key on its one line");
  } else if (const char *value = std::getenv(kKeyVariable)) {
    key = trimmed(value);
  }
  if (!fits_a_header(key)) {
    return Status(StatusKind::invalid_argument,
                  origin + " holds characters that no API key has; it must be one line of visible ASCII");
  }
  return key;
}

}  // namespace saccade
