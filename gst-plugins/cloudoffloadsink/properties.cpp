#include "cloudoffloadsink/properties.h"

namespace saccade::gst::cloud {
namespace {

using Settings = CloudOffloadSettings;
using Table = PropertyTable<Settings>;

void add_server(Table &t) {
  t.preset_text(
      {"endpoint", "Endpoint",
       "URL of the server: its root, its /v1, or the whole chat-completions call; several, with commas or "
       "blanks between them, in the order in which they are preferred"},
      [](Settings & s) -> auto & { return s.cloud.endpoint; });
  t.preset_text(
      {"model", "Model", "Name of the model to ask, as the server knows it"},
      [](Settings & s) -> auto & { return s.model; });
  t.text(
      {"api-key-file", "API key file",
       "Path of a file with the API key, read at start; empty = the environment variable SACCADE_API_KEY, or "
       "no key"},
      [](Settings & s) -> auto & { return s.api_key_file; });
  t.yes_or_no(
      {"ssl-strict", "Strict TLS", "Refuse servers whose certificate cannot be verified (true or false)"},
      [](Settings & s) -> auto & { return s.cloud.ssl_strict; });
  t.text(
      {"tls-database", "TLS database",
       "Path of a PEM file with the authorities to trust; empty = those of the system"},
      [](Settings & s) -> auto & { return s.cloud.tls_database; });
  t.text(
      {"proxy", "Proxy", "URI of the proxy to use; empty = that of the environment"},
      [](Settings & s) -> auto & { return s.cloud.proxy; });
  t.pairs(
      {"extra-headers", "Extra headers", "Headers of every request, as the fields of a structure"},
      [](Settings & s) -> auto & { return s.cloud.extra_headers; });
}

void add_calls(Table &t) {
  t.seconds(
      {"timeout", "Timeout", "Seconds that one attempt may take, to the last byte of its answer"}, 0.001,
      3600, [](Settings & s) -> auto & { return s.cloud.timeout; });
  t.count(
      {"retries", "Retries", "Number of further attempts after a failed connection, a 408, 429 or 5xx"}, 0,
      100, [](Settings & s) -> auto & { return s.cloud.retries; });
  t.seconds(
      {"retry-backoff-factor", "Retry back-off factor",
       "Seconds to wait before the first retry; doubles with each further one"},
      0, 3600, [](Settings & s) -> auto & { return s.cloud.retry_backoff_factor; });
  t.seconds(
      {"retry-backoff-max", "Retry back-off maximum",
       "Seconds to wait before a retry at most; a server that asks for more is given up"},
      0, 86400, [](Settings & s) -> auto & { return s.cloud.retry_backoff_max; });
  t.count(
      {"max-response-size", "Maximum response size", "Bytes that a response may have"}, 1, G_MAXINT,
      [](Settings & s) -> auto & { return s.cloud.max_response_size; });
  t.count(
      {"max-in-flight", "Maximum in flight", "Number of segments that wait for the server at a time"}, 1, 256,
      [](Settings & s) -> auto & { return s.cloud.max_in_flight; });
  t.seconds(
      {"drain-timeout", "Drain timeout",
       "Seconds that the end of the stream waits for answers that are still out"},
      0, 3600, [](Settings & s) -> auto & { return s.drain_timeout; }, Table::kPlaying);
}

void add_questions(Table &t) {
  t.preset_text(
      {"prompt", "Prompt", "Question about frames that come without one of their own (text)"},
      [](Settings & s) -> auto & { return s.prompt; }, Table::kPlaying);
  t.count(
      {"max-tokens", "Maximum tokens", "Number of tokens that an answer may have"}, 1, 65536,
      [](Settings & s) -> auto & { return s.max_tokens; }, Table::kPlaying);
}

GType spool_order_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(SpoolOrder::oldest_first), "Those that wait longest", "oldest-first"},
      {static_cast<gint>(SpoolOrder::newest_first), "Those that came last", "newest-first"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstCloudOffloadSpoolOrder", values);
  return type;
}

GType privacy_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Privacy::none), "Pictures go out as they are", "none"},
      {static_cast<gint>(Privacy::blur_faces), "Faces that are found are blurred", "blur-faces"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstCloudOffloadPrivacy", values);
  return type;
}

void add_pictures(Table &t) {
  t.count(
      {"jpeg-quality", "JPEG quality", "Quality in percent of the JPEGs that raw video becomes, at most"}, 1,
      100, [](Settings & s) -> auto & { return s.jpeg_quality; });
  t.count(
      {"max-size", "Maximum size", "Longest edge in pixels of what raw video is sent as; 0 = as it is"}, 0,
      65535, [](Settings & s) -> auto & { return s.max_size; });
  t.seconds(
      {"max-upload-time", "Maximum upload time",
       "Seconds that a picture of raw video may take on its way, by what the link carries: it is made "
       "smaller "
       "and then worse for it; 0 = any"},
      0, 3600, [](Settings & s) -> auto & { return s.max_upload_time; });
  t.yes_or_no(
      {"crop", "Crop",
       "Whether raw video is cut to the part that masgate says is worth seeing, where it says so (true or "
       "false)"},
      [](Settings & s) -> auto & { return s.crop; });
  t.choice(
      {"privacy", "Privacy", "What is done to people in raw video before it leaves"}, privacy_type(),
      [](Settings & s) -> auto & { return s.privacy; });
  t.preset_text(
      {"face-cascades", "Face cascades", "Path of the folder with OpenCV's Haar cascades, for blur-faces"},
      [](Settings & s) -> auto & { return s.face_cascades; });
  t.text(
      {"audit-log", "Audit log",
       "Path of a file that a line of JSON is added to for all that leaves the device; empty = none"},
      [](Settings & s) -> auto & { return s.audit.path; });
  t.yes_or_no(
      {"audit-questions", "Audit questions", "Whether questions stand in it (true or false)"},
      [](Settings & s) -> auto & { return s.audit.with_questions; });
}

void add_spool(Table &t) {
  t.text(
      {"spool-folder", "Spool folder",
       "Path of a private folder in which segments wait while the server cannot be asked; empty = they are "
       "reported as unanswered"},
      [](Settings & s) -> auto & { return s.spool.folder; });
  t.bytes(
      {"spool-size", "Spool size", "Bytes that they may take on the disk"}, 1,
      [](Settings & s) -> auto & { return s.spool.max_bytes; });
  t.seconds(
      {"spool-max-age", "Spool maximum age",
       "Seconds after which nobody wants an answer any more; 0 = never"},
      0, 1e8, [](Settings & s) -> auto & { return s.spool.max_age; });
  t.choice(
      {"spool-order", "Spool order", "Which are asked first when the server is back"}, spool_order_type(),
      [](Settings & s) -> auto & { return s.spool.order; });
}

}  // namespace

const PropertyTable<CloudOffloadSettings> &properties() {
  static const Table made = [] {
    Table t;
    add_server(t);
    add_calls(t);
    add_questions(t);
    add_pictures(t);
    add_spool(t);
    t.statistics(
        "Counts of segments, segments answered, verified, failed and cancelled, frames skipped, pictures "
        "made, "
        "segments waiting on the disk and waiting-bytes, bytes-sent and bytes-received, round-trip-ms "
        "(milliseconds) and link-up");
    return t;
  }();
  return made;
}

}  // namespace saccade::gst::cloud
