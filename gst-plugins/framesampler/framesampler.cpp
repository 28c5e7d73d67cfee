// framesampler: keeps the frames that are new and drops the rest.
//
// The cheap first sieve in front of a model. In `adaptive` mode (the default) a frame is kept when it differs
// from the frame kept last, at most `max-rate` times a second, and `min-rate` times a second even when
// nothing changes. For every dropped frame a GAP event goes downstream, so that text branches behind it
// advance.
//
//   gst-launch-1.0 -v videotestsrc num-buffers=150 pattern=ball ! framesampler max-rate=5 ! fakesink
//   silent=false
#include "framesampler/framesampler.h"

#include <gst/video/video.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "common/events.h"
#include "common/luma.h"
#include "common/metas.h"
#include "sampling/frame_sampler.h"

GST_DEBUG_CATEGORY_STATIC(gst_frame_sampler_debug);
#define GST_CAT_DEFAULT gst_frame_sampler_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

enum {
  PROP_0,
  PROP_MODE,
  PROP_MAX_RATE,
  PROP_MIN_RATE,
  PROP_EVERY,
  PROP_THRESHOLD,
  PROP_BUDGET,
  PROP_STATISTICS
};

static constexpr auto kDefaultMode = saccade::SamplingMode::adaptive;
static constexpr double kDefaultMaxRate = 5;
static constexpr double kDefaultMinRate = 0.2;
static constexpr int kDefaultEvery = 1;
static constexpr double kDefaultThreshold = 5;

// Downstream is overloaded above the first utilisation and has room to spare below the second.
static constexpr double kOverloaded = 0.9;
static constexpr double kRelaxed = 0.7;
static constexpr double kSlower = 0.5;        // per report of overload
static constexpr double kFaster = 1.5;        // per report of room to spare
static constexpr double kSlowest = 1.0 / 16;  // of max-rate

#define SACCADE_TYPE_SAMPLING_MODE (saccade_sampling_mode_get_type())
static GType saccade_sampling_mode_get_type(void) {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(saccade::SamplingMode::adaptive), "Frames that differ from the one kept last",
         "adaptive"},
        {static_cast<int>(saccade::SamplingMode::uniform), "max-rate frames per second of stream time",
         "uniform"},
        {static_cast<int>(saccade::SamplingMode::every), "One frame in every", "every"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("SaccadeSamplingMode", values);
  }();
  return type;
}

struct GstFrameSamplerPrivate {
  std::mutex mutex;  // over the sampler; never held while pushing
  saccade::FrameSampler sampler{
      {kDefaultMode, kDefaultMaxRate, kDefaultMinRate, kDefaultEvery, kDefaultThreshold}};

  // Streaming thread only.
  saccade::gst::LumaReader luma;
  GstVideoInfo info{};
};

struct _GstFrameSampler {
  GstBaseTransform parent;
  GstFrameSamplerPrivate *priv;
};

G_DEFINE_TYPE(GstFrameSampler, gst_frame_sampler, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(framesampler, "framesampler", GST_RANK_NONE, GST_TYPE_FRAME_SAMPLER)

static void gst_frame_sampler_finalize(GObject *object);
static void gst_frame_sampler_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec);
static void gst_frame_sampler_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec);
static gboolean gst_frame_sampler_start(GstBaseTransform *trans);
static gboolean gst_frame_sampler_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out);
static gboolean gst_frame_sampler_sink_event(GstBaseTransform *trans, GstEvent *event);
static gboolean gst_frame_sampler_src_event(GstBaseTransform *trans, GstEvent *event);
static GstFlowReturn gst_frame_sampler_generate_output(GstBaseTransform *trans, GstBuffer **out);

static void gst_frame_sampler_class_init(GstFrameSamplerClass *klass) {
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);
  auto trans_class = GST_BASE_TRANSFORM_CLASS(klass);

  object_class->finalize = gst_frame_sampler_finalize;
  object_class->set_property = gst_frame_sampler_set_property;
  object_class->get_property = gst_frame_sampler_get_property;

  const auto playing =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, PROP_MODE,
      g_param_spec_enum("mode", "Mode", "How frames are chosen", SACCADE_TYPE_SAMPLING_MODE,
                        static_cast<int>(kDefaultMode), playing));
  g_object_class_install_property(
      object_class, PROP_MAX_RATE,
      g_param_spec_double("max-rate", "Maximum rate",
                          "Frames kept per second of stream time at most (uniform: exactly); 0 = no bound", 0,
                          1000, kDefaultMaxRate, playing));
  g_object_class_install_property(
      object_class, PROP_MIN_RATE,
      g_param_spec_double("min-rate", "Minimum rate",
                          "Frames kept per second of stream time when nothing changes (adaptive); 0 = none",
                          0, 1000, kDefaultMinRate, playing));
  g_object_class_install_property(
      object_class, PROP_EVERY,
      g_param_spec_int("every", "Every", "Keep one frame in this many frames (mode every)", 1, G_MAXINT,
                       kDefaultEvery, playing));
  g_object_class_install_property(
      object_class, PROP_THRESHOLD,
      g_param_spec_double("threshold", "Threshold",
                          "Luma levels (0-255) by which a cell of the 32x18 thumbnail must differ (adaptive)",
                          0, 255, kDefaultThreshold, playing));
  g_object_class_install_property(
      object_class, PROP_BUDGET,
      g_param_spec_double(
          "budget", "Budget",
          "Frames kept per minute of stream time on the average at most; the threshold rises as it "
          "runs out (adaptive); 0 = no bound",
          0, 60000, 0, playing));
  g_object_class_install_property(
      object_class, PROP_STATISTICS,
      g_param_spec_boxed(
          "statistics", "Statistics",
          "Frames since start: received, kept, dropped, one count per reason; slow-down, the share of "
          "max-rate left by downstream's load",
          GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Frame sampler", "Filter/Video",
                                        "Keeps the frames that are new and drops the rest", "Saccade");

  trans_class->start = GST_DEBUG_FUNCPTR(gst_frame_sampler_start);
  trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_frame_sampler_set_caps);
  trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_frame_sampler_sink_event);
  trans_class->src_event = GST_DEBUG_FUNCPTR(gst_frame_sampler_src_event);
  trans_class->generate_output = GST_DEBUG_FUNCPTR(gst_frame_sampler_generate_output);

  gst_type_mark_as_plugin_api(SACCADE_TYPE_SAMPLING_MODE, static_cast<GstPluginAPIFlags>(0));
  GST_DEBUG_CATEGORY_INIT(gst_frame_sampler_debug, "framesampler", 0, "frame sampler");
}

static void gst_frame_sampler_init(GstFrameSampler *self) {
  self->priv = new GstFrameSamplerPrivate();
  // Frames pass untouched or not at all, so allocation and caps are negotiated around us.
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), TRUE);
}

static void gst_frame_sampler_finalize(GObject *object) {
  delete GST_FRAME_SAMPLER(object)->priv;
  G_OBJECT_CLASS(gst_frame_sampler_parent_class)->finalize(object);
}

static void gst_frame_sampler_set_property(GObject *object, guint id, const GValue *value,
                                           GParamSpec *pspec) {
  auto priv = GST_FRAME_SAMPLER(object)->priv;
  const std::lock_guard lock(priv->mutex);
  auto settings = priv->sampler.settings();
  switch (id) {
    case PROP_MODE: settings.mode = static_cast<saccade::SamplingMode>(g_value_get_enum(value)); break;
    case PROP_MAX_RATE: settings.max_rate = g_value_get_double(value); break;
    case PROP_MIN_RATE: settings.min_rate = g_value_get_double(value); break;
    case PROP_EVERY: settings.every = g_value_get_int(value); break;
    case PROP_THRESHOLD: settings.threshold = g_value_get_double(value); break;
    case PROP_BUDGET: settings.budget = g_value_get_double(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
  priv->sampler.configure(settings);
}

static GstStructure *gst_frame_sampler_statistics(const saccade::FrameSampler &sampler) {
  auto statistics = gst_structure_new("framesampler-statistics",  //
                                      "received", G_TYPE_UINT64, guint64{sampler.kept() + sampler.dropped()},
                                      "kept", G_TYPE_UINT64, guint64{sampler.kept()},        //
                                      "dropped", G_TYPE_UINT64, guint64{sampler.dropped()},  //
                                      "slow-down", G_TYPE_DOUBLE, sampler.slow_down_factor(), nullptr);
  for (int i = 0; i < saccade::kSamplingReasons; ++i) {
    const auto reason = static_cast<saccade::SamplingReason>(i);
    gst_structure_set(statistics, saccade::to_string(reason), G_TYPE_UINT64, guint64{sampler.count(reason)},
                      nullptr);
  }
  return statistics;
}

static void gst_frame_sampler_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  auto priv = GST_FRAME_SAMPLER(object)->priv;
  const std::lock_guard lock(priv->mutex);
  const auto &settings = priv->sampler.settings();
  switch (id) {
    case PROP_MODE: g_value_set_enum(value, static_cast<int>(settings.mode)); break;
    case PROP_MAX_RATE: g_value_set_double(value, settings.max_rate); break;
    case PROP_MIN_RATE: g_value_set_double(value, settings.min_rate); break;
    case PROP_EVERY: g_value_set_int(value, settings.every); break;
    case PROP_THRESHOLD: g_value_set_double(value, settings.threshold); break;
    case PROP_BUDGET: g_value_set_double(value, settings.budget); break;
    case PROP_STATISTICS: g_value_take_boxed(value, gst_frame_sampler_statistics(priv->sampler)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
}

static gboolean gst_frame_sampler_start(GstBaseTransform *trans) {
  auto priv = GST_FRAME_SAMPLER(trans)->priv;
  const std::lock_guard lock(priv->mutex);
  priv->sampler = saccade::FrameSampler(priv->sampler.settings());  // counts and comparisons start anew
  return TRUE;
}

static gboolean gst_frame_sampler_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *) {
  auto self = GST_FRAME_SAMPLER(trans);
  auto priv = self->priv;
  if (!gst_video_info_from_caps(&priv->info, in)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                      ("framesampler: cannot take caps %" GST_PTR_FORMAT, static_cast<void *>(in)),
                      (nullptr));
    return FALSE;
  }
  if (const auto status = priv->luma.set_format(priv->info); !status.ok()) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("framesampler: %s", status.message().c_str()), (nullptr));
    return FALSE;
  }
  return TRUE;
}

static gboolean gst_frame_sampler_sink_event(GstBaseTransform *trans, GstEvent *event) {
  auto priv = GST_FRAME_SAMPLER(trans)->priv;
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP || GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
    const std::lock_guard lock(priv->mutex);
    priv->sampler.forget();
  }
  return GST_BASE_TRANSFORM_CLASS(gst_frame_sampler_parent_class)->sink_event(trans, event);
}

// Only a live stream slows down for a busy model: a file waits for it, and its run stays reproducible.
static bool gst_frame_sampler_is_live(GstBaseTransform *trans) {
  gboolean live = FALSE;
  auto query = gst_query_new_latency();
  if (gst_pad_peer_query(trans->sinkpad, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  return live;
}

static void gst_frame_sampler_heed_load(GstBaseTransform *trans, double utilisation) {
  if (!gst_frame_sampler_is_live(trans)) return;
  auto priv = GST_FRAME_SAMPLER(trans)->priv;
  const std::lock_guard lock(priv->mutex);
  const double now = priv->sampler.slow_down_factor();
  if (utilisation > kOverloaded) priv->sampler.slow_down(std::max(kSlowest, now * kSlower));
  if (utilisation < kRelaxed) priv->sampler.slow_down(std::min(1.0, now * kFaster));
  GST_DEBUG_OBJECT(trans, "downstream is %.0f %% busy: %.2f of max-rate", 100 * utilisation,
                   priv->sampler.slow_down_factor());
}

static gboolean gst_frame_sampler_src_event(GstBaseTransform *trans, GstEvent *event) {
  if (const auto load = saccade::gst::parse_load(event)) {
    gst_frame_sampler_heed_load(trans, load->utilisation);
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
    // A sink's proportion is its processing time over the stream's: 1 = fully busy.
    GstQOSType type = GST_QOS_TYPE_OVERFLOW;
    gdouble proportion = 0;
    gst_event_parse_qos(event, &type, &proportion, nullptr, nullptr);
    if (type != GST_QOS_TYPE_THROTTLE) gst_frame_sampler_heed_load(trans, proportion);
  }
  return GST_BASE_TRANSFORM_CLASS(gst_frame_sampler_parent_class)->src_event(trans, event);
}

static std::optional<saccade::StreamTime> gst_frame_sampler_time_of(GstBaseTransform *trans,
                                                                    GstBuffer *buffer) {
  if (trans->segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer)) return std::nullopt;
  const auto time = gst_segment_to_running_time(&trans->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (!GST_CLOCK_TIME_IS_VALID(time)) return std::nullopt;
  return saccade::StreamTime(static_cast<std::int64_t>(time));
}

static saccade::SamplingDecision gst_frame_sampler_decide(GstFrameSampler *self, const saccade::Frame &frame,
                                                          std::optional<saccade::StreamTime> time) {
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->sampler.decide(frame, time);
}

// Takes the frame that came in; gives it on, or nothing. Giving nothing with FLOW_OK, rather than returning
// FLOW_DROPPED, keeps the base class from marking every kept frame as a discontinuity.
static GstFlowReturn gst_frame_sampler_generate_output(GstBaseTransform *trans, GstBuffer **out) {
  auto self = GST_FRAME_SAMPLER(trans);
  auto priv = self->priv;
  *out = nullptr;
  auto buffer = trans->queued_buf;
  trans->queued_buf = nullptr;
  if (!buffer) return GST_FLOW_OK;

  saccade::SamplingDecision decision;
  {
    auto picture = priv->luma.read(buffer, {});
    if (!picture.ok()) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("framesampler: %s", picture.status().message().c_str()),
                        (nullptr));
      gst_buffer_unref(buffer);
      return GST_FLOW_ERROR;
    }
    decision =
        gst_frame_sampler_decide(self, picture.value().frame(), gst_frame_sampler_time_of(trans, buffer));
  }
  GST_LOG_OBJECT(self, "%s: %" GST_PTR_FORMAT, saccade::to_string(decision.reason),
                 static_cast<void *>(buffer));
  if (!decision.keep) {
    if (GST_BUFFER_PTS_IS_VALID(buffer)) {
      gst_pad_push_event(trans->srcpad,
                         gst_event_new_gap(GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer)));
    }
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  buffer = gst_buffer_make_writable(buffer);
  if (auto facts = saccade::gst::ensure_mas_structure(buffer)) {
    gst_structure_set(facts, "sampling", G_TYPE_STRING, saccade::to_string(decision.reason), nullptr);
  }
  *out = buffer;
  return GST_FLOW_OK;
}
