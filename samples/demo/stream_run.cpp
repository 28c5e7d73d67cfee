#include "stream_run.h"

#include <glib-unix.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "process_cost.h"

namespace saccade::demo {
namespace {

// `pace` passes buffers on; with --live it holds each until its time has come, and makes the stream a live
// one.
constexpr const char *kPipeline =
    "filesrc name=file ! decodebin ! identity name=pace ! framesampler name=sampler ! masgate name=gate "
    "! tokencompressor name=compressor ! localmllm name=model ! fakesink name=end sync=false async=false";

constexpr guint kTickMs = 1000;

std::string message_text(GstMessage *message) {
  GError *error = nullptr;
  gchar *debug = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, &debug);
  } else {
    gst_message_parse_warning(message, &error, &debug);
  }
  const ErrorPtr owned_error(error);
  const TextPtr owned_debug(debug);
  return error ? error->message : "an element failed and did not say why";
}

}  // namespace

const char *StreamRun::description() { return kPipeline; }

Result<std::unique_ptr<StreamRun>> StreamRun::create(const Arguments &arguments,
                                                     const std::vector<std::string> &questions,
                                                     RunListener listener) {
  if (!std::filesystem::exists(arguments.clip)) {
    return Status(StatusKind::not_found, "there is no clip " + arguments.clip + ".");
  }
  std::unique_ptr<StreamRun> run(new StreamRun(std::move(listener)));
  if (auto status = run->configure(arguments, questions); !status.ok()) return status;
  return run;
}

StreamRun::~StreamRun() {
  if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

ElementPtr StreamRun::find(const char *name) const {
  return ElementPtr(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
}

Status StreamRun::configure(const Arguments &arguments, const std::vector<std::string> &questions) {
  questions_ = questions;
  GError *error = nullptr;
  pipeline_.reset(gst_parse_launch_full(kPipeline, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error));
  if (error) {
    const ErrorPtr owned(error);
    return {StatusKind::not_found,
            std::string("the pipeline cannot be built: ") + error->message +
                ". Is GST_PLUGIN_PATH the folder of libgstsaccade.so (build/release/gst-plugins)?"};
  }
  loop_.reset(g_main_loop_new(nullptr, FALSE));

  const char *standing = questions_.front().c_str();
  g_object_set(find("file").get(), "location", arguments.clip.c_str(), nullptr);
  g_object_set(find("pace").get(), "sync", static_cast<gboolean>(arguments.live), nullptr);
  g_object_set(find("sampler").get(), "max-rate", arguments.max_rate, nullptr);
  g_object_set(find("gate").get(), "prompt", standing, nullptr);
  for (const auto *name : {"compressor", "model"}) {
    g_object_set(find(name).get(), "model", arguments.model.c_str(), "mmproj", arguments.mmproj.c_str(),
                 "threads", arguments.threads, nullptr);
  }
  const auto model = find("model");
  g_object_set(model.get(), "prompt", standing, nullptr);
  g_signal_connect(model.get(), "answer", G_CALLBACK(ask_the_others), this);

  const auto pace = find("pace");
  const PadPtr pad(gst_element_get_static_pad(pace.get(), "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, on_frame, this, nullptr);
  return {};
}

Status StreamRun::enter(GstState state) {
  if (gst_element_set_state(pipeline_.get(), state) == GST_STATE_CHANGE_FAILURE) return first_error();
  return {};
}

// What the element that refused a change of state has to say.
Status StreamRun::first_error() {
  const BusPtr bus(gst_element_get_bus(pipeline_.get()));
  const MessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  return {StatusKind::internal,
          message ? message_text(message.get()) : "the pipeline refused to start and did not say why"};
}

Status StreamRun::load() {
  const auto start = Clock::now();
  auto status = enter(GST_STATE_READY);
  // The model is loaded on the way to PAUSED, before the call returns.
  if (status.ok()) status = enter(GST_STATE_PAUSED);
  load_ = Clock::now() - start;
  return status;
}

Status StreamRun::run() {
  const BusPtr bus(gst_element_get_bus(pipeline_.get()));
  const auto watch = gst_bus_add_watch(bus.get(), on_message, this);
  const auto tick = g_timeout_add(kTickMs, on_tick, this);
  const auto interrupt = g_unix_signal_add(SIGINT, on_interrupt, this);

  if (auto status = enter(GST_STATE_PLAYING); status.ok()) {
    g_main_loop_run(loop_.get());
  } else {
    status_ = std::move(status);
  }
  if (flowing_) {
    wall_ = Clock::now() - wall_start_;
    cpu_ = cpu_time() - cpu_start_;
  }

  for (const auto source : {watch, tick, interrupt}) g_source_remove(source);
  return status_;
}

void StreamRun::end(Status status) {
  status_ = std::move(status);
  g_main_loop_quit(loop_.get());
}

gboolean StreamRun::on_message(GstBus *, GstMessage *message, gpointer data) {
  auto self = static_cast<StreamRun *>(data);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS: self->end({}); break;
    case GST_MESSAGE_ERROR: self->end({StatusKind::internal, message_text(message)}); break;
    case GST_MESSAGE_WARNING: self->listener_.warning(message_text(message)); break;
    case GST_MESSAGE_LATENCY: gst_bin_recalculate_latency(GST_BIN(self->pipeline_.get())); break;
    case GST_MESSAGE_ELEMENT: self->on_answer(message); break;
    default: break;
  }
  return G_SOURCE_CONTINUE;
}

void StreamRun::on_answer(GstMessage *message) {
  auto answer = answer_of(message);
  if (!answer) return;
  ++answers_;
  if (answer->question == questions_.front()) {
    standing_at_ = answer->stream_time;
    standing_latency_ms_ = answer->capture_to_answer_ms;
  } else if (answer->stream_time == standing_at_) {
    // The element counts an asked question from the asking on, and that was when the standing answer came.
    // Whoever looks at the street has waited since the picture.
    answer->capture_to_answer_ms += standing_latency_ms_;
  }
  listener_.answer(*answer);
}

gboolean StreamRun::on_tick(gpointer data) {
  auto self = static_cast<StreamRun *>(data);
  gint64 length = 0;
  if (!gst_element_query_duration(self->pipeline_.get(), GST_FORMAT_TIME, &length)) length = 0;
  self->listener_.progress(
      {to_seconds(Duration(self->position_.load())), to_seconds(Duration(length)), self->answers_});
  return G_SOURCE_CONTINUE;
}

gboolean StreamRun::on_interrupt(gpointer data) {
  auto self = static_cast<StreamRun *>(data);
  self->interrupted_ = true;
  self->end({});
  return G_SOURCE_CONTINUE;
}

// On a streaming thread.
GstPadProbeReturn StreamRun::on_frame(GstPad *, GstPadProbeInfo *info, gpointer data) {
  auto self = static_cast<StreamRun *>(data);
  if (!self->flowing_) {  // from here on it is about the stream, before it was about the model
    self->wall_start_ = Clock::now();
    self->cpu_start_ = cpu_time();
    self->flowing_ = true;
  }
  const auto buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (!GST_BUFFER_PTS_IS_VALID(buffer)) return GST_PAD_PROBE_OK;
  const auto duration = GST_BUFFER_DURATION_IS_VALID(buffer) ? GST_BUFFER_DURATION(buffer) : 0;
  self->position_ = static_cast<std::int64_t>(GST_BUFFER_PTS(buffer) + duration);
  return GST_PAD_PROBE_OK;
}

// On the model's thread, before it takes the next picture: so these are about the picture of the standing
// answer.
void StreamRun::ask_the_others(GstElement *model, const GstStructure *answer, gpointer data) {
  const auto &questions = static_cast<StreamRun *>(data)->questions_;
  if (questions.front() != question_of(answer)) return;
  for (auto question = questions.begin() + 1; question != questions.end(); ++question) {
    guint64 id = 0;
    g_signal_emit_by_name(model, "ask", question->c_str(), &id);
  }
}

std::uint64_t StreamRun::statistic(const char *element, const char *field) const {
  GstStructure *statistics = nullptr;
  g_object_get(find(element).get(), "statistics", &statistics, nullptr);
  const StructurePtr owned(statistics);
  guint64 value = 0;
  if (statistics) gst_structure_get_uint64(statistics, field, &value);
  return value;
}

RunFigures StreamRun::figures() const {
  RunFigures figures;
  figures.frames_seen = statistic("sampler", "received");
  figures.frames_sampled = statistic("sampler", "kept");
  figures.frames_needed = statistic("gate", "needed");
  figures.frames_encoded = statistic("compressor", "encoded");
  figures.frames_dropped = statistic("compressor", "dropped") + statistic("model", "dropped");
  figures.stream_seconds = to_seconds(Duration(position_.load()));
  figures.load = load_;
  figures.wall = wall_;
  figures.cpu = cpu_;
  figures.peak_memory = peak_memory();
  figures.interrupted = interrupted_;
  return figures;
}

}  // namespace saccade::demo
