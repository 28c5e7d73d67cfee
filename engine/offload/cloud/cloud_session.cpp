#include "offload/cloud/cloud_session.h"

#include <algorithm>
#include <string_view>

namespace saccade {

namespace {

constexpr guint kIdleConnectionSeconds = 60;
constexpr int kMostInFlight = 256;

Status refuse(const std::string &what) { return {StatusKind::invalid_argument, what}; }

// The characters of a header's name, RFC 9110.
bool is_name(std::string_view name) {
  constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";
  const auto fits = [&](char c) { return g_ascii_isalnum(c) || kSigns.find(c) != std::string_view::npos; };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

Status check_headers(const CloudSettings &settings) {
  for (const auto &[name, value] : settings.extra_headers) {
    if (!is_name(name)) return refuse("extra-headers: \"" + name + "\" is no name of a header");
    const bool prints = std::none_of(value.begin(), value.end(), [](char c) { return g_ascii_iscntrl(c); });
    if (!prints)
      return refuse("extra-headers: the value of \"" + name + "\" holds characters that end a header's line");
  }
  return {};
}

}  // namespace

Status check(const CloudSettings &settings) {
  if (settings.timeout <= Duration::zero()) return refuse("timeout must be longer than zero");
  if (settings.retries < 0) return refuse("retries must not be negative");
  if (settings.retry_backoff_factor < Duration::zero())
    return refuse("retry-backoff-factor must not be negative");
  if (settings.max_response_size == 0) return refuse("max-response-size must be at least one byte");
  if (settings.max_in_flight < 1 || settings.max_in_flight > kMostInFlight)
    return refuse("max-in-flight must be between 1 and 256");
  if (!settings.proxy.empty() && !g_uri_is_valid(settings.proxy.c_str(), G_URI_FLAGS_NONE, nullptr))
    return refuse("proxy \"" + settings.proxy + "\" is no URI; give one like http://proxy.example:3128");
  return check_headers(settings);
}

Result<ObjectPointer<GTlsDatabase>> authorities_of(const CloudSettings &settings) {
  if (settings.tls_database.empty()) return ObjectPointer<GTlsDatabase>();
  const std::string named = "tls-database \"" + settings.tls_database + "\"";
  GError *raw_error = nullptr;
  auto *database = g_tls_file_database_new(settings.tls_database.c_str(), &raw_error);
  const ErrorPointer error(raw_error);
  if (database) return ObjectPointer<GTlsDatabase>(G_TLS_DATABASE(database));
  const bool is_there = g_file_test(settings.tls_database.c_str(), G_FILE_TEST_EXISTS);
  return Status(is_there ? StatusKind::corrupt : StatusKind::not_found,
                named + " cannot be used (" + error->message + "); name a PEM file with certificates");
}

ObjectPointer<SoupSession> new_session(const CloudSettings &settings, GTlsDatabase *authorities) {
  // The session's own timeout is about silence; ours, in CloudCall, is about the whole attempt.
  ObjectPointer<SoupSession> session(soup_session_new_with_options(
      "user-agent", "saccade", "max-conns", settings.max_in_flight, "max-conns-per-host",
      settings.max_in_flight, "timeout", 0U, "idle-timeout", kIdleConnectionSeconds, nullptr));
  if (authorities) soup_session_set_tls_database(session.get(), authorities);
  if (!settings.proxy.empty()) {
    const ObjectPointer<GProxyResolver> resolver(
        g_simple_proxy_resolver_new(settings.proxy.c_str(), nullptr));
    soup_session_set_proxy_resolver(session.get(), resolver.get());
  }
  // Answers are small: no compression, and so no bomb.
  soup_session_remove_feature_by_type(session.get(), SOUP_TYPE_CONTENT_DECODER);
  return session;
}

}  // namespace saccade
