// cloudoffloadsink: sends segments to an OpenAI-compatible server and brings the answers back.
//
// A segment is one or more frames and a question. Behind the offload pad of `localmllm` segments come with
// events and metas, and their answers travel back upstream as `saccade/answer`; in any other pipeline every
// frame is a segment of its own, asked the `prompt`. Answers are also posted as element messages and emitted
// as a signal. The streaming thread never waits for the network when the pipeline is live.
//
//   gst-launch-1.0 -m videotestsrc num-buffers=1 ! cloudoffloadsink endpoint=http://127.0.0.1:8080/v1
//   retries=0
//
// prints the answer of a server on that port, or a warning that says why there is none.
#include "cloudoffloadsink/cloudoffloadsink.h"

#include <gst/video/video.h>

#include <memory>
#include <mutex>
#include <string>

#include "cloudoffloadsink/segment_sender.h"
#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "offload/endpoint.h"

GST_DEBUG_CATEGORY_STATIC(cloud_offload_sink_debug);
#define GST_CAT_DEFAULT cloud_offload_sink_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL) "; image/jpeg"));

enum {
  PROP_0,
  PROP_ENDPOINT,
  PROP_MODEL,
  PROP_API_KEY_FILE,
  PROP_TIMEOUT,
  PROP_RETRIES,
  PROP_RETRY_BACKOFF_FACTOR,
  PROP_RETRY_BACKOFF_MAX,
  PROP_SSL_STRICT,
  PROP_MAX_RESPONSE_SIZE,
  PROP_MAX_IN_FLIGHT,
  PROP_JPEG_QUALITY,
  PROP_MAX_SIZE,
  PROP_PROMPT,
  PROP_MAX_TOKENS,
  PROP_DRAIN_TIMEOUT,
  PROP_STATISTICS,
};

enum { SIGNAL_ANSWER, LAST_SIGNAL };

static constexpr const char *kDefaultEndpoint = "http://127.0.0.1:8080/v1/chat/completions";
static constexpr const char *kDefaultModel = "default";
static constexpr double kDefaultTimeout = 30;
static constexpr int kDefaultRetries = 2;
static constexpr double kDefaultRetryBackoffFactor = 0.5;
static constexpr double kDefaultRetryBackoffMax = 8;
static constexpr gboolean kDefaultSslStrict = TRUE;
static constexpr guint kDefaultMaxResponseSize = 1U << 20;
static constexpr int kDefaultMaxInFlight = 4;
static constexpr int kDefaultJpegQuality = 85;
static constexpr int kDefaultMaxSize = 1024;
static constexpr const char *kDefaultPrompt = "Describe what you see in one sentence.";
static constexpr int kDefaultMaxTokens = 64;
static constexpr double kDefaultDrainTimeout = 5;

struct Settings {
  std::string endpoint = kDefaultEndpoint;
  std::string model = kDefaultModel;
  std::string api_key_file;
  double timeout = kDefaultTimeout;
  int retries = kDefaultRetries;
  double retry_backoff_factor = kDefaultRetryBackoffFactor;
  double retry_backoff_max = kDefaultRetryBackoffMax;
  bool ssl_strict = kDefaultSslStrict;
  guint max_response_size = kDefaultMaxResponseSize;
  int max_in_flight = kDefaultMaxInFlight;
  int jpeg_quality = kDefaultJpegQuality;
  int max_size = kDefaultMaxSize;
  std::string prompt = kDefaultPrompt;
  int max_tokens = kDefaultMaxTokens;
  double drain_timeout = kDefaultDrainTimeout;
};

struct CloudOffloadSinkPrivate {
  std::mutex mutex;  // guards the next three; never held while the sender is called into
  Settings settings;
  std::shared_ptr<saccade::gst::SegmentSender> sender;  // from start to stop
  saccade::gst::SenderStatistics last_statistics;       // of the run that ended last

  // The streaming thread's own.
  GstVideoInfo info{};
  bool is_jpeg = false;
  bool liveness_known = false;
};

struct _SaccadeCloudOffloadSink {
  GstBaseSink parent;
  CloudOffloadSinkPrivate *priv;
};

static guint signals[LAST_SIGNAL];

G_DEFINE_TYPE(SaccadeCloudOffloadSink, saccade_cloud_offload_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(cloudoffloadsink, "cloudoffloadsink", GST_RANK_NONE,
                            SACCADE_TYPE_CLOUD_OFFLOAD_SINK)

static void saccade_cloud_offload_sink_finalize(GObject *object);
static void saccade_cloud_offload_sink_set_property(GObject *object, guint id, const GValue *value,
                                                    GParamSpec *pspec);
static void saccade_cloud_offload_sink_get_property(GObject *object, guint id, GValue *value,
                                                    GParamSpec *pspec);
static GstStateChangeReturn saccade_cloud_offload_sink_change_state(GstElement *element,
                                                                    GstStateChange transition);
static gboolean saccade_cloud_offload_sink_start(GstBaseSink *sink);
static gboolean saccade_cloud_offload_sink_stop(GstBaseSink *sink);
static gboolean saccade_cloud_offload_sink_set_caps(GstBaseSink *sink, GstCaps *caps);
static gboolean saccade_cloud_offload_sink_event(GstBaseSink *sink, GstEvent *event);
static GstFlowReturn saccade_cloud_offload_sink_render(GstBaseSink *sink, GstBuffer *buffer);
static gboolean saccade_cloud_offload_sink_unlock(GstBaseSink *sink);

static void install_properties(GObjectClass *klass) {
  const auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  const auto ready = static_cast<GParamFlags>(flags | GST_PARAM_MUTABLE_READY);
  const auto playing = static_cast<GParamFlags>(flags | GST_PARAM_MUTABLE_PLAYING);
  const auto install = [klass](guint id, GParamSpec *spec) {
    g_object_class_install_property(klass, id, spec);
  };
  install(PROP_ENDPOINT,
          g_param_spec_string("endpoint", "Endpoint",
                              "URL of the server: its root, its /v1, or the whole chat-completions call",
                              kDefaultEndpoint, ready));
  install(PROP_MODEL,
          g_param_spec_string("model", "Model", "Name of the model to ask, as the server knows it",
                              kDefaultModel, ready));
  install(
      PROP_API_KEY_FILE,
      g_param_spec_string("api-key-file", "API key file",
                          "Path of a file with the API key, read at start; empty = the environment variable "
                          "SACCADE_API_KEY, or no key",
                          "", ready));
  install(PROP_TIMEOUT,
          g_param_spec_double("timeout", "Timeout",
                              "Seconds that one attempt may take, to the last byte of its answer", 0.001,
                              3600, kDefaultTimeout, ready));
  install(PROP_RETRIES,
          g_param_spec_int("retries", "Retries",
                           "Number of further attempts after a failed connection, a 408, 429 or 5xx", 0, 100,
                           kDefaultRetries, ready));
  install(PROP_RETRY_BACKOFF_FACTOR,
          g_param_spec_double("retry-backoff-factor", "Retry back-off factor",
                              "Seconds to wait before the first retry; doubles with each further one", 0,
                              3600, kDefaultRetryBackoffFactor, ready));
  install(
      PROP_RETRY_BACKOFF_MAX,
      g_param_spec_double("retry-backoff-max", "Retry back-off maximum",
                          "Seconds to wait before a retry at most; a server that asks for more is given up",
                          0, 86400, kDefaultRetryBackoffMax, ready));
  install(PROP_SSL_STRICT,
          g_param_spec_boolean("ssl-strict", "Strict TLS",
                               "Refuse servers whose certificate cannot be verified (true or false)",
                               kDefaultSslStrict, ready));
  install(PROP_MAX_RESPONSE_SIZE,
          g_param_spec_uint("max-response-size", "Maximum response size", "Bytes that a response may have", 1,
                            G_MAXINT, kDefaultMaxResponseSize, ready));
  install(PROP_MAX_IN_FLIGHT, g_param_spec_int("max-in-flight", "Maximum in flight",
                                               "Number of segments that wait for the server at a time", 1,
                                               256, kDefaultMaxInFlight, ready));
  install(PROP_JPEG_QUALITY, g_param_spec_int("jpeg-quality", "JPEG quality",
                                              "Quality in percent of the JPEGs that raw video becomes", 1,
                                              100, kDefaultJpegQuality, ready));
  install(PROP_MAX_SIZE, g_param_spec_int("max-size", "Maximum size",
                                          "Longest edge in pixels of what raw video is sent as; 0 = as it is",
                                          0, 65535, kDefaultMaxSize, ready));
  install(PROP_PROMPT, g_param_spec_string("prompt", "Prompt",
                                           "Question about frames that come without one of their own (text)",
                                           kDefaultPrompt, playing));
  install(PROP_MAX_TOKENS,
          g_param_spec_int("max-tokens", "Maximum tokens", "Number of tokens that an answer may have", 1,
                           65536, kDefaultMaxTokens, playing));
  install(PROP_DRAIN_TIMEOUT,
          g_param_spec_double("drain-timeout", "Drain timeout",
                              "Seconds that the end of the stream waits for answers that are still out", 0,
                              3600, kDefaultDrainTimeout, playing));
  install(PROP_STATISTICS,
          g_param_spec_boxed(
              "statistics", "Statistics",
              "Counts of segments, segments answered, failed and cancelled, frames skipped, bytes-sent "
              "and bytes-received, round-trip-ms (milliseconds) and link-up",
              GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void saccade_cloud_offload_sink_class_init(SaccadeCloudOffloadSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(cloud_offload_sink_debug, "cloudoffloadsink", 0, "Sends segments to a cloud model");
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);
  auto sink_class = GST_BASE_SINK_CLASS(klass);

  object_class->finalize = saccade_cloud_offload_sink_finalize;
  object_class->set_property = saccade_cloud_offload_sink_set_property;
  object_class->get_property = saccade_cloud_offload_sink_get_property;
  install_properties(object_class);

  // answer (owner, id, text, confidence): from the network thread; change no state in it.
  signals[SIGNAL_ANSWER] =
      g_signal_new("answer", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                   G_TYPE_NONE, 4, G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_STRING, G_TYPE_DOUBLE);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Cloud offload sink", "Sink/Video/Network",
      "Sends segments to any OpenAI-compatible server and brings the answers back", "Saccade");

  element_class->change_state = saccade_cloud_offload_sink_change_state;
  sink_class->start = saccade_cloud_offload_sink_start;
  sink_class->stop = saccade_cloud_offload_sink_stop;
  sink_class->set_caps = saccade_cloud_offload_sink_set_caps;
  sink_class->event = saccade_cloud_offload_sink_event;
  sink_class->render = saccade_cloud_offload_sink_render;
  sink_class->unlock = saccade_cloud_offload_sink_unlock;
}

static void saccade_cloud_offload_sink_init(SaccadeCloudOffloadSink *self) {
  self->priv = new CloudOffloadSinkPrivate;
  auto sink = GST_BASE_SINK(self);
  gst_base_sink_set_async_enabled(sink, FALSE);  // preroll never waits for data on this branch
  gst_base_sink_set_sync(sink, FALSE);
  gst_base_sink_set_last_sample_enabled(sink, FALSE);  // no upstream buffer is held
}

static void saccade_cloud_offload_sink_finalize(GObject *object) {
  delete SACCADE_CLOUD_OFFLOAD_SINK(object)->priv;
  G_OBJECT_CLASS(saccade_cloud_offload_sink_parent_class)->finalize(object);
}

// --- Properties
// -----------------------------------------------------------------------------------------------

static std::string string_of(const GValue *value) {
  const char *text = g_value_get_string(value);
  return text ? text : "";
}

static void saccade_cloud_offload_sink_set_property(GObject *object, guint id, const GValue *value,
                                                    GParamSpec *pspec) {
  auto priv = SACCADE_CLOUD_OFFLOAD_SINK(object)->priv;
  const std::lock_guard lock(priv->mutex);
  auto &settings = priv->settings;
  switch (id) {
    case PROP_ENDPOINT: settings.endpoint = string_of(value); break;
    case PROP_MODEL: settings.model = string_of(value); break;
    case PROP_API_KEY_FILE: settings.api_key_file = string_of(value); break;
    case PROP_TIMEOUT: settings.timeout = g_value_get_double(value); break;
    case PROP_RETRIES: settings.retries = g_value_get_int(value); break;
    case PROP_RETRY_BACKOFF_FACTOR: settings.retry_backoff_factor = g_value_get_double(value); break;
    case PROP_RETRY_BACKOFF_MAX: settings.retry_backoff_max = g_value_get_double(value); break;
    case PROP_SSL_STRICT: settings.ssl_strict = g_value_get_boolean(value); break;
    case PROP_MAX_RESPONSE_SIZE: settings.max_response_size = g_value_get_uint(value); break;
    case PROP_MAX_IN_FLIGHT: settings.max_in_flight = g_value_get_int(value); break;
    case PROP_JPEG_QUALITY: settings.jpeg_quality = g_value_get_int(value); break;
    case PROP_MAX_SIZE: settings.max_size = g_value_get_int(value); break;
    case PROP_PROMPT: settings.prompt = string_of(value); break;
    case PROP_MAX_TOKENS: settings.max_tokens = g_value_get_int(value); break;
    case PROP_DRAIN_TIMEOUT: settings.drain_timeout = g_value_get_double(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
}

static std::shared_ptr<saccade::gst::SegmentSender> sender_of(SaccadeCloudOffloadSink *self) {
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->sender;
}

static Settings settings_of(SaccadeCloudOffloadSink *self) {
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->settings;
}

static saccade::gst::SenderStatistics statistics_of(SaccadeCloudOffloadSink *self) {
  if (const auto sender = sender_of(self)) return sender->statistics();
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->last_statistics;
}

static GstStructure *statistics_structure(SaccadeCloudOffloadSink *self) {
  const auto now = statistics_of(self);
  const auto u64 = [](std::uint64_t v) { return static_cast<guint64>(v); };
  return gst_structure_new("application/x-saccade-cloud-statistics",                        //
                           "segments", G_TYPE_UINT64, u64(now.segments),                    //
                           "answered", G_TYPE_UINT64, u64(now.answered),                    //
                           "failed", G_TYPE_UINT64, u64(now.failed),                        //
                           "cancelled", G_TYPE_UINT64, u64(now.cancelled),                  //
                           "skipped", G_TYPE_UINT64, u64(now.skipped),                      //
                           "bytes-sent", G_TYPE_UINT64, u64(now.cloud.bytes_sent),          //
                           "bytes-received", G_TYPE_UINT64, u64(now.cloud.bytes_received),  //
                           "round-trip-ms", G_TYPE_DOUBLE,
                           saccade::to_milliseconds(now.cloud.link.round_trip), "link-up", G_TYPE_BOOLEAN,
                           static_cast<gboolean>(now.cloud.link.up), nullptr);
}

static void saccade_cloud_offload_sink_get_property(GObject *object, guint id, GValue *value,
                                                    GParamSpec *pspec) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(object);
  const auto settings = settings_of(self);
  switch (id) {
    case PROP_ENDPOINT: g_value_set_string(value, settings.endpoint.c_str()); break;
    case PROP_MODEL: g_value_set_string(value, settings.model.c_str()); break;
    case PROP_API_KEY_FILE: g_value_set_string(value, settings.api_key_file.c_str()); break;
    case PROP_TIMEOUT: g_value_set_double(value, settings.timeout); break;
    case PROP_RETRIES: g_value_set_int(value, settings.retries); break;
    case PROP_RETRY_BACKOFF_FACTOR: g_value_set_double(value, settings.retry_backoff_factor); break;
    case PROP_RETRY_BACKOFF_MAX: g_value_set_double(value, settings.retry_backoff_max); break;
    case PROP_SSL_STRICT: g_value_set_boolean(value, settings.ssl_strict); break;
    case PROP_MAX_RESPONSE_SIZE: g_value_set_uint(value, settings.max_response_size); break;
    case PROP_MAX_IN_FLIGHT: g_value_set_int(value, settings.max_in_flight); break;
    case PROP_JPEG_QUALITY: g_value_set_int(value, settings.jpeg_quality); break;
    case PROP_MAX_SIZE: g_value_set_int(value, settings.max_size); break;
    case PROP_PROMPT: g_value_set_string(value, settings.prompt.c_str()); break;
    case PROP_MAX_TOKENS: g_value_set_int(value, settings.max_tokens); break;
    case PROP_DRAIN_TIMEOUT: g_value_set_double(value, settings.drain_timeout); break;
    case PROP_STATISTICS: g_value_take_boxed(value, statistics_structure(self)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
}

// --- What comes back: on the sender's threads
// -------------------------------------------------------------------

static void report_answer(SaccadeCloudOffloadSink *self, const saccade::gst::SegmentResult &result) {
  const auto &answer = result.answer.value();
  const auto &segment = result.segment;
  auto structure = gst_structure_new(
      "cloud-answer", "owner", G_TYPE_STRING, segment.owner.c_str(), "id", G_TYPE_UINT64,
      static_cast<guint64>(segment.id), "text", G_TYPE_STRING, answer.text.c_str(), "confidence",
      G_TYPE_DOUBLE, static_cast<double>(answer.confidence), "latency-ms", G_TYPE_DOUBLE, result.latency_ms,
      "bytes-sent", G_TYPE_UINT64, static_cast<guint64>(result.bytes_sent), nullptr);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), structure));
  g_signal_emit(self, signals[SIGNAL_ANSWER], 0, segment.owner.c_str(), static_cast<guint64>(segment.id),
                answer.text.c_str(), static_cast<double>(answer.confidence));
}

static void report_failure(SaccadeCloudOffloadSink *self, const saccade::gst::SegmentResult &result) {
  const auto sentence = result.answer.status().message();
  // That the link is down has been said once; frames that nobody asked about do not repeat it thirty times a
  // second.
  if (result.plain && result.link_is_down) {
    GST_INFO_OBJECT(self, "frame %" G_GUINT64_FORMAT " is not answered: %s",
                    static_cast<guint64>(result.segment.id), sentence.c_str());
    return;
  }
  GST_ELEMENT_WARNING(self, RESOURCE, FAILED, ("cloudoffloadsink: %s", sentence.c_str()),
                      ("segment %" G_GUINT64_FORMAT " of \"%s\" gets no answer from the cloud",
                       static_cast<guint64>(result.segment.id), result.segment.owner.c_str()));
}

static void on_ended(SaccadeCloudOffloadSink *self, const saccade::gst::SegmentResult &result) {
  const bool ok = result.answer.ok();
  saccade::gst::CloudAnswer event;
  event.owner = result.segment.owner;
  event.id = result.segment.id;
  event.ok = ok;
  event.text = ok ? result.answer.value().text : "";
  event.confidence = ok ? static_cast<double>(result.answer.value().confidence) : 0;
  event.verified = result.verified;
  event.reason = ok ? "" : result.answer.status().message();
  gst_pad_push_event(GST_BASE_SINK_PAD(self), saccade::gst::new_cloud_answer(event));
  if (ok) {
    report_answer(self, result);
  } else {
    report_failure(self, result);
  }
}

static void on_link(SaccadeCloudOffloadSink *self, const saccade::LinkSnapshot &link, bool changed,
                    const std::string &reason) {
  const double round_trip_ms = saccade::to_milliseconds(link.round_trip);
  gst_pad_push_event(GST_BASE_SINK_PAD(self),
                     saccade::gst::new_link_state({link.up, round_trip_ms, link.throughput, reason}));
  if (!changed) return;
  GST_INFO_OBJECT(self, "link is %s: %s", link.up ? "up" : "down", reason.c_str());
  auto structure =
      gst_structure_new("link-state", "up", G_TYPE_BOOLEAN, static_cast<gboolean>(link.up), "round-trip-ms",
                        G_TYPE_DOUBLE, round_trip_ms, "throughput", G_TYPE_DOUBLE, link.throughput, "reason",
                        G_TYPE_STRING, reason.c_str(), nullptr);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), structure));
}

// --- Start and stop
// -------------------------------------------------------------------------------------------

static saccade::gst::SenderSettings sender_settings(const Settings &settings, std::string api_key) {
  saccade::gst::SenderSettings sender;
  sender.cloud.endpoint = settings.endpoint;
  sender.cloud.api_key = std::move(api_key);
  sender.cloud.timeout = saccade::from_seconds(settings.timeout);
  sender.cloud.retries = settings.retries;
  sender.cloud.retry_backoff_factor = saccade::from_seconds(settings.retry_backoff_factor);
  sender.cloud.retry_backoff_max = saccade::from_seconds(settings.retry_backoff_max);
  sender.cloud.ssl_strict = settings.ssl_strict;
  sender.cloud.max_response_size = settings.max_response_size;
  sender.cloud.max_in_flight = settings.max_in_flight;
  sender.model = settings.model;
  sender.jpeg_quality = settings.jpeg_quality;
  sender.max_size = settings.max_size;
  return sender;
}

static gboolean saccade_cloud_offload_sink_start(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  auto priv = self->priv;
  const auto settings = settings_of(self);
  auto key = saccade::read_api_key(settings.api_key_file);
  if (!key.ok()) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ, ("cloudoffloadsink: %s", key.status().message().c_str()),
                      (nullptr));
    return FALSE;
  }
  auto sender = saccade::gst::SegmentSender::create(
      sender_settings(settings, std::move(key).value()),
      {.ended = [self](const saccade::gst::SegmentResult &result) { on_ended(self, result); },
       .link = [self](const saccade::LinkSnapshot &link, bool changed,
                      const std::string &reason) { on_link(self, link, changed, reason); }});
  if (!sender.ok()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("cloudoffloadsink: %s", sender.status().message().c_str()),
                      (nullptr));
    return FALSE;
  }
  priv->liveness_known = false;
  const std::lock_guard lock(priv->mutex);
  priv->sender = std::move(sender).value();
  return TRUE;
}

// A sink holds its data until PLAYING, even with async off. This one takes it in PAUSED already: whoever
// feeds it may have another branch to preroll from the same thread.
static void take_data_when_paused(GstBaseSink *sink) {
  GST_BASE_SINK_PREROLL_LOCK(sink);
  sink->need_preroll = FALSE;
  GST_BASE_SINK_PREROLL_BROADCAST(sink);
  GST_BASE_SINK_PREROLL_UNLOCK(sink);
}

static GstStateChangeReturn saccade_cloud_offload_sink_change_state(GstElement *element,
                                                                    GstStateChange transition) {
  const auto result =
      GST_ELEMENT_CLASS(saccade_cloud_offload_sink_parent_class)->change_state(element, transition);
  const bool to_paused =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
  if (to_paused && result != GST_STATE_CHANGE_FAILURE) take_data_when_paused(GST_BASE_SINK(element));
  return result;
}

static gboolean saccade_cloud_offload_sink_stop(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  const auto sender = sender_of(self);
  if (!sender) return TRUE;
  sender->stop();
  const auto statistics = sender->statistics();
  const std::lock_guard lock(self->priv->mutex);
  self->priv->last_statistics = statistics;
  self->priv->sender.reset();
  return TRUE;
}

// --- Data
// -----------------------------------------------------------------------------------------------------

static gboolean saccade_cloud_offload_sink_set_caps(GstBaseSink *sink, GstCaps *caps) {
  auto priv = SACCADE_CLOUD_OFFLOAD_SINK(sink)->priv;
  priv->is_jpeg = gst_structure_has_name(gst_caps_get_structure(caps, 0), "image/jpeg");
  return priv->is_jpeg || gst_video_info_from_caps(&priv->info, caps);
}

// A copy of the frame's own memory. Metas stay behind, except the one that says how the planes lie: some of
// them hold on to buffers of upstream's pool.
static saccade::gst::BufferPtr copy_of(GstBuffer *buffer) {
  GstBuffer *copy = gst_buffer_new();
  gst_buffer_copy_into(copy, buffer,
                       static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_DEEP), 0,
                       static_cast<gsize>(-1));
  if (auto meta = gst_buffer_get_video_meta(buffer)) {
    gst_buffer_add_video_meta_full(copy, meta->flags, meta->format, meta->width, meta->height, meta->n_planes,
                                   meta->offset, meta->stride);
  }
  return saccade::gst::BufferPtr(copy);
}

// Whether the pipeline is live decides whether frames may wait here.
static void learn_liveness(SaccadeCloudOffloadSink *self, saccade::gst::SegmentSender &sender) {
  if (std::exchange(self->priv->liveness_known, true)) return;
  GstQuery *query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(GST_BASE_SINK_PAD(self), query))
    gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  sender.set_live(live);
}

// True from the moment a flush or a stop begins, before unlock() wakes who waits.
static bool is_flushing(SaccadeCloudOffloadSink *self) {
  GstPad *pad = GST_BASE_SINK_PAD(self);
  GST_OBJECT_LOCK(pad);
  const bool flushing = GST_PAD_IS_FLUSHING(pad);
  GST_OBJECT_UNLOCK(pad);
  return flushing;
}

static GstFlowReturn saccade_cloud_offload_sink_render(GstBaseSink *sink, GstBuffer *buffer) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  auto priv = self->priv;
  const auto sender = sender_of(self);
  if (!sender) return GST_FLOW_FLUSHING;
  learn_liveness(self, *sender);
  // Without the lock that state changes take: data is taken in PAUSED too.
  GST_BASE_SINK_PREROLL_UNLOCK(sink);
  const bool space = sender->wait_for_space([self] { return is_flushing(self); });
  GST_BASE_SINK_PREROLL_LOCK(sink);
  if (!space) return GST_FLOW_FLUSHING;
  const auto settings = settings_of(self);
  sender->frame({priv->info, priv->is_jpeg, copy_of(buffer)}, saccade::gst::get_segment(buffer),
                {settings.prompt, settings.max_tokens});
  return GST_FLOW_OK;
}

static gboolean saccade_cloud_offload_sink_event(GstBaseSink *sink, GstEvent *event) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  if (const auto sender = sender_of(self)) {
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_CUSTOM_DOWNSTREAM:
        if (const auto begin = saccade::gst::parse_segment_begin(event)) sender->begin(*begin);
        if (const auto draft = saccade::gst::parse_segment_draft(event)) sender->draft(*draft);
        if (const auto cancel = saccade::gst::parse_segment_cancel(event)) sender->cancel(*cancel);
        break;
      case GST_EVENT_FLUSH_START: sender->set_flushing(true); break;
      case GST_EVENT_FLUSH_STOP: sender->set_flushing(false); break;
      case GST_EVENT_EOS:
        sender->drain(saccade::from_seconds(settings_of(self).drain_timeout),
                      [self] { return is_flushing(self); });
        break;
      default: break;
    }
  }
  return GST_BASE_SINK_CLASS(saccade_cloud_offload_sink_parent_class)->event(sink, event);
}

static gboolean saccade_cloud_offload_sink_unlock(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  if (const auto sender = sender_of(self)) sender->wake();
  return TRUE;
}
