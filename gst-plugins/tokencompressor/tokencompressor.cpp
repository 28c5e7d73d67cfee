/**
 * SECTION:element-tokencompressor
 * @title: tokencompressor
 *
 * Encodes pictures into visual tokens with the vision half of a multimodal model, keeps the tokens that
 * matter and attaches them to the picture, which passes unchanged. A language model further down reads
 * the tokens and need not look at the picture again.
 *
 *     gst-launch-1.0 videotestsrc num-buffers=30 ! tokencompressor model=saccade-edge-text.gguf
 *         mmproj=saccade-edge-mmproj.gguf method=merge keep=0.5 ! fakesink
 */
#include "tokencompressor/tokencompressor.h"

#include <gst/video/video.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/encoder_kind.h"
#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "common/rgb_scaler.h"
#include "common/stage_queue.h"
#include "tokencompressor/settings.h"
#include "vision/token_stage.h"

using namespace saccade;
using namespace saccade::gst;

GST_DEBUG_CATEGORY_STATIC(token_compressor_debug);
#define GST_CAT_DEFAULT token_compressor_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

struct TokenCompressorPrivate {
  std::mutex mutex;  // guards what follows up to the empty line
  TokenCompressorSettings settings;
  TokenCompressorFigures figures;
  std::optional<PatchGrid> grid;  // while a model is loaded

  std::optional<StageQueue<BufferPtr>> queue;  // made in init; safe from any thread
  std::atomic<GstFlowReturn> flow = GST_FLOW_OK;
  std::atomic<bool> eos_came = false;

  // Written at start and by the streaming thread.
  std::atomic<bool> leak_chosen = false;
  std::atomic<bool> live = false;

  // The worker's, while it runs; before start and after stop those of the state change.
  std::unique_ptr<TokenStage> stage;
  std::string_view method;  // the stage's
  RgbScaler scaler;
  GstSegment segment;
  bool failing = false;  // the last encode failed and the bus knows
};

struct _GstTokenCompressor {
  GstElement parent;
  GstPad *sink;
  GstPad *src;
  TokenCompressorPrivate *priv;
};

G_DEFINE_FINAL_TYPE(GstTokenCompressor, gst_token_compressor, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(tokencompressor, "tokencompressor", GST_RANK_NONE, GST_TYPE_TOKEN_COMPRESSOR)

// ---- properties

static void gst_token_compressor_set_property(GObject *object, guint id, const GValue *value,
                                              GParamSpec *spec) {
  auto *priv = GST_TOKEN_COMPRESSOR(object)->priv;
  const std::lock_guard lock(priv->mutex);
  if (!priv->settings.set(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_token_compressor_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  auto *priv = GST_TOKEN_COMPRESSOR(object)->priv;
  const std::lock_guard lock(priv->mutex);
  if (!priv->settings.get(id, value) && !priv->figures.get(id, value)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

// ---- what upstream learns

static std::string stream_of(GstTokenCompressor *self) {
  const TextPtr id(gst_pad_get_stream_id(self->sink));
  return id ? id.get() : "";
}

// A frame that no gate has named cannot be spoken of.
static void send_committed(GstTokenCompressor *self, const MasReport &report, const PatchMap &patches) {
  if (report.frame == 0) return;
  gst_pad_push_event(self->sink,
                     new_committed({stream_of(self), report.frame, patches, GST_OBJECT_NAME(self)}));
}

static void send_dropped(GstTokenCompressor *self, const MasReport &report, const std::string &reason) {
  if (report.frame == 0) return;
  gst_pad_push_event(self->sink, new_dropped({stream_of(self), report.frame, GST_OBJECT_NAME(self), reason}));
}

// ---- the worker

static void report_failure(GstTokenCompressor *self, const Status &status) {
  auto *priv = self->priv;
  {
    const std::lock_guard lock(priv->mutex);
    ++priv->figures.failed;
  }
  if (std::exchange(priv->failing, true)) return;  // one warning for a row of failures
  GST_ELEMENT_WARNING(self, STREAM, ENCODE, ("%s", status.message().c_str()),
                      ("the picture passes without tokens; further failures in a row are only counted"));
}

// Zero for a picture without a time, or from outside the segment.
static StreamTime running_time(const TokenCompressorPrivate *priv, GstBuffer *buffer) {
  if (priv->segment.format != GST_FORMAT_TIME) return {};
  const auto time = gst_segment_to_running_time(&priv->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  return GST_CLOCK_TIME_IS_VALID(time) ? StreamTime(time) : StreamTime();
}

static Result<SharedTokens> encode_picture(GstTokenCompressor *self, GstBuffer *buffer,
                                           const PatchAdvice &advice, const std::stop_token &stop) {
  auto *priv = self->priv;
  KeepAmount amount;
  std::string_view method;
  {
    const std::lock_guard lock(priv->mutex);
    amount = priv->settings.amount;
    method = priv->settings.method_name();
  }
  if (method != std::exchange(priv->method, method))
    priv->stage->compress_with(make_compressor(method).value());
  const auto start = Clock::now();
  const auto [width, height] = priv->stage->input();
  const auto image = priv->scaler.scale(buffer, width, height);
  if (!image.ok()) return image.status();
  auto tokens = priv->stage->encode(image.value().view(running_time(priv, buffer)), advice, amount, stop);
  if (tokens.ok()) {
    const std::lock_guard lock(priv->mutex);
    auto &figures = priv->figures;
    ++figures.encoded;
    figures.encode_work += tokens.value()->encoded;
    figures.tokens_seen += static_cast<guint64>(tokens.value()->seen);
    figures.tokens_kept += static_cast<guint64>(tokens.value()->count());
    figures.encode.add(Clock::now() - start);
  }
  return tokens;
}

// Null when the picture has to pass without tokens, nothing when it must not pass at all.
static std::optional<SharedTokens> tokens_for(GstTokenCompressor *self, GstBuffer *buffer,
                                              const std::stop_token &stop) {
  auto *priv = self->priv;
  const auto report = get_mas(buffer).value_or(MasReport());
  const PatchAdvice advice{report.refresh, report.keep};
  if (auto same = priv->stage->reusable(advice)) {
    {
      const std::lock_guard lock(priv->mutex);
      ++priv->figures.reused;
    }
    send_committed(self, report, report.refresh);  // of no patches, so that the gate need not wait
    return same;
  }
  auto tokens = encode_picture(self, buffer, advice, stop);
  if (tokens.ok()) {
    priv->failing = false;
    send_committed(self, report, priv->stage->refreshed(advice));
    return tokens.value();
  }
  const auto status = tokens.status();
  send_dropped(self, report, status.message());
  if (status.kind() == StatusKind::cancelled) {
    const std::lock_guard lock(priv->mutex);
    ++priv->figures.dropped;
    return std::nullopt;
  }
  report_failure(self, status);
  return SharedTokens();
}

static void process_buffer(GstTokenCompressor *self, BufferPtr buffer, const std::stop_token &stop) {
  auto *priv = self->priv;
  if (priv->flow != GST_FLOW_OK) return;
  const auto tokens = tokens_for(self, buffer.get(), stop);
  if (!tokens) return;
  buffer.reset(gst_buffer_make_writable(buffer.release()));
  if (*tokens) set_tokens(buffer.get(), *tokens);
  const auto flow = gst_pad_push(self->src, buffer.release());
  priv->flow = flow;
  // After EOS there is no chain() left that would carry the failure to the source.
  if (priv->eos_came && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS))
    GST_ELEMENT_FLOW_ERROR(self, flow);
}

static void forward_event(GstTokenCompressor *self, EventPtr event) {
  auto *priv = self->priv;
  if (GST_EVENT_TYPE(event.get()) == GST_EVENT_CAPS) {
    GstCaps *caps = nullptr;
    gst_event_parse_caps(event.get(), &caps);
    const CapsPtr before(gst_pad_get_current_caps(self->src));
    if (before && !gst_caps_is_equal(before.get(), caps)) priv->stage->forget();
    if (const auto status = priv->scaler.set_caps(caps); !status.ok()) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", status.message().c_str()), (nullptr));
      priv->flow = GST_FLOW_NOT_NEGOTIATED;
    }
  }
  if (GST_EVENT_TYPE(event.get()) == GST_EVENT_SEGMENT) gst_event_copy_segment(event.get(), &priv->segment);
  gst_pad_push_event(self->src, event.release());
}

static void buffer_dropped(GstTokenCompressor *self, const BufferPtr &buffer, DropReason reason) {
  if (reason == DropReason::stop) return;  // nobody is left who would send it again
  {
    const std::lock_guard lock(self->priv->mutex);
    ++self->priv->figures.dropped;
  }
  const auto report = get_mas(buffer.get()).value_or(MasReport());
  send_dropped(self, report, reason == DropReason::leak ? "the encoder is behind" : "flushed");
}

// A GAP in a leaked picture's place keeps muxers and text overlays from waiting for it.
static EventPtr gap_for(const BufferPtr &buffer) {
  if (!GST_BUFFER_PTS_IS_VALID(buffer.get())) return nullptr;
  return EventPtr(gst_event_new_gap(GST_BUFFER_PTS(buffer.get()), GST_BUFFER_DURATION(buffer.get())));
}

static void event_flushed(GstTokenCompressor *self, const EventPtr &event) {
  const auto type = GST_EVENT_TYPE(event.get());
  if (!GST_EVENT_IS_STICKY(event.get()) || type == GST_EVENT_SEGMENT || type == GST_EVENT_EOS) return;
  gst_pad_store_sticky_event(self->src, event.get());
}

// ---- the streaming thread

// The LATENCY query says whether the source is live; asked again until somebody answers.
static void choose_leak(GstTokenCompressor *self) {
  auto *priv = self->priv;
  if (priv->leak_chosen) return;
  GstQuery *query = gst_query_new_latency();
  priv->leak_chosen = gst_pad_peer_query(self->sink, query);
  gboolean live = FALSE;
  if (priv->leak_chosen) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  priv->live = live;

  const std::lock_guard lock(priv->mutex);
  priv->queue->configure(priv->settings.max_queue, priv->settings.leaky_for(live));
}

// Whether a camera, decoder or pool may wait for this memory. A copy that only shares it (an element made the
// metadata writable) no longer names its pool, but its memory is of the source's own kind.
static bool is_lent(GstBuffer *buffer) {
  if (buffer->pool || gst_buffer_get_parent_buffer_meta(buffer)) return true;
  for (guint i = 0; i < gst_buffer_n_memory(buffer); ++i) {
    if (!gst_memory_is_type(gst_buffer_peek_memory(buffer, i), GST_ALLOCATOR_SYSMEM)) return true;
  }
  return false;
}

static GstFlowReturn gst_token_compressor_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  auto *self = GST_TOKEN_COMPRESSOR(parent);
  auto *priv = self->priv;
  BufferPtr held(buffer);
  if (const auto flow = priv->flow.load(); flow != GST_FLOW_OK) return flow;
  choose_leak(self);
  {
    const std::lock_guard lock(priv->mutex);
    ++priv->figures.frames;
  }
  if (priv->live && is_lent(buffer)) {  // a camera has few
    if (GstBuffer *copy = gst_buffer_copy_deep(buffer)) held.reset(copy);
  }
  return priv->queue->push(std::move(held)) == PushResult::refused ? GST_FLOW_FLUSHING : GST_FLOW_OK;
}

static gboolean gst_token_compressor_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto *self = GST_TOKEN_COMPRESSOR(parent);
  auto *priv = self->priv;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START: {
      const gboolean sent = gst_pad_push_event(self->src, event);  // frees a worker that waits downstream
      priv->queue->set_flushing(true);
      return sent;
    }
    case GST_EVENT_FLUSH_STOP:
      priv->queue->set_flushing(true);  // the worker stands still now, even if no FLUSH_START came
      priv->stage->forget();
      priv->flow = GST_FLOW_OK;
      priv->eos_came = false;
      priv->queue->set_flushing(false);
      return gst_pad_push_event(self->src, event);
    case GST_EVENT_STREAM_START: priv->leak_chosen = false; break;
    case GST_EVENT_EOS: priv->eos_came = true; break;
    default: break;
  }
  if (!GST_EVENT_IS_SERIALIZED(event)) return gst_pad_event_default(pad, parent, event);
  return priv->queue->push_event(EventPtr(event));
}

static gboolean gst_token_compressor_sink_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  auto *self = GST_TOKEN_COMPRESSOR(parent);
  auto *priv = self->priv;
  {
    const std::lock_guard lock(priv->mutex);
    if (priv->grid && answer_patch_grid(query, *priv->grid)) return TRUE;
  }
  if (GST_QUERY_IS_SERIALIZED(query)) {
    // In order, it would have to wait for an encode; a live source must not, and does without an answer.
    choose_leak(self);
    if (priv->live || !priv->queue->drain()) return FALSE;
    return gst_pad_peer_query(self->src, query);
  }
  return gst_pad_query_default(pad, parent, query);
}

// ---- start and stop

static bool fail_to_start(GstTokenCompressor *self, const Status &status) {
  const gchar *text = status.message().c_str();
  switch (status.kind()) {
    case StatusKind::not_found: GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("%s", text), (nullptr)); break;
    case StatusKind::corrupt: GST_ELEMENT_ERROR(self, RESOURCE, READ, ("%s", text), (nullptr)); break;
    case StatusKind::exhausted:
      GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("%s", text), (nullptr));
      break;
    case StatusKind::invalid_argument:
      GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", text), (nullptr));
      break;
    default: GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("%s", text), (nullptr)); break;
  }
  return false;
}

static Result<std::unique_ptr<TokenStage>> open_stage(const TokenCompressorSettings &settings) {
  if (settings.model.empty() || settings.mmproj.empty()) {
    return Status{StatusKind::not_found,
                  "tokencompressor has no model: set model= to the language model's GGUF file and mmproj= to "
                  "its projector's"};
  }
  auto compressor = make_compressor(settings.method_name());
  if (!compressor.ok()) return compressor.status();
  auto pair = ModelPair::open({settings.model, settings.mmproj, settings.threads});
  if (!pair.ok()) return pair.status();
  auto encoder = make_encoder(std::move(pair).value(), settings.encoder);
  if (!encoder.ok()) return encoder.status();
  return std::make_unique<TokenStage>(std::move(encoder).value(), std::move(compressor).value());
}

static bool start(GstTokenCompressor *self) {
  auto *priv = self->priv;
  TokenCompressorSettings settings;
  {
    const std::lock_guard lock(priv->mutex);
    settings = priv->settings;
  }
  auto stage = open_stage(settings);
  if (!stage.ok()) return fail_to_start(self, stage.status());
  priv->stage = std::move(stage).value();
  priv->method = settings.method_name();
  tell_encoder(GST_ELEMENT(self), priv->stage->encoder(), settings.encoder.kind);
  priv->scaler = RgbScaler();
  gst_segment_init(&priv->segment, GST_FORMAT_UNDEFINED);
  priv->flow = GST_FLOW_OK;
  priv->eos_came = priv->leak_chosen = priv->live = false;
  priv->failing = false;
  {
    const std::lock_guard lock(priv->mutex);
    priv->figures = TokenCompressorFigures();
    priv->grid = priv->stage->patches();
  }
  priv->queue->start();
  return true;
}

static GstStateChangeReturn gst_token_compressor_change_state(GstElement *element, GstStateChange change) {
  auto *self = GST_TOKEN_COMPRESSOR(element);
  auto *priv = self->priv;
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self)) return GST_STATE_CHANGE_FAILURE;
  // Before the pads: a chain() that waits for room holds the lock that deactivating them needs.
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) priv->queue->cancel();

  const auto result = GST_ELEMENT_CLASS(gst_token_compressor_parent_class)->change_state(element, change);

  const bool failed_to_pause =
      change == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) {
    priv->queue->stop();
    {
      const std::lock_guard lock(priv->mutex);
      priv->grid.reset();
    }
    priv->stage.reset();
  }
  return result;
}

// ---- class

static void gst_token_compressor_finalize(GObject *object) {
  auto *self = GST_TOKEN_COMPRESSOR(object);
  self->priv->queue.reset();  // the worker uses what else is in there
  delete std::exchange(self->priv, nullptr);
  G_OBJECT_CLASS(gst_token_compressor_parent_class)->finalize(object);
}

static void gst_token_compressor_class_init(GstTokenCompressorClass *klass) {
  GST_DEBUG_CATEGORY_INIT(token_compressor_debug, "tokencompressor", 0, "Saccade token compressor");
  auto *object = G_OBJECT_CLASS(klass);
  object->set_property = gst_token_compressor_set_property;
  object->get_property = gst_token_compressor_get_property;
  object->finalize = gst_token_compressor_finalize;
  install_token_compressor_properties(object);

  auto *element = GST_ELEMENT_CLASS(klass);
  element->change_state = gst_token_compressor_change_state;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Saccade token compressor", "Filter/Analyzer/Video",
                                        "Encodes pictures into visual tokens and keeps the few that matter",
                                        "Saccade");
}

static void gst_token_compressor_init(GstTokenCompressor *self) {
  self->priv = new TokenCompressorPrivate;
  StageQueue<BufferPtr>::Callbacks callbacks;
  callbacks.process = [self](BufferPtr buffer, const std::stop_token &stop) {
    process_buffer(self, std::move(buffer), stop);
  };
  callbacks.forward = [self](EventPtr event) { forward_event(self, std::move(event)); };
  callbacks.dropped = [self](const BufferPtr &buffer, DropReason reason) {
    buffer_dropped(self, buffer, reason);
  };
  callbacks.replacement = gap_for;
  callbacks.event_dropped = [self](const EventPtr &event) { event_flushed(self, event); };
  self->priv->queue.emplace(std::move(callbacks));

  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, gst_token_compressor_chain);
  gst_pad_set_event_function(self->sink, gst_token_compressor_sink_event);
  gst_pad_set_query_function(self->sink, gst_token_compressor_sink_query);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);

  self->src = gst_pad_new_from_static_template(&src_template, "src");
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}
