#include "arguments.h"

#include <glib.h>
#include <gst/gst.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "handles.h"

namespace saccade::demo {
namespace {

constexpr const char *kTextModel = "saccade-edge-text.gguf";
constexpr const char *kProjector = "saccade-edge-mmproj.gguf";
constexpr const char *kDefaultModels = "samples/models";
constexpr double kHighestRate = 1000;

constexpr const char *kSummary =
    "Answers questions about a clip as it streams through framesampler, masgate,\n"
    "tokencompressor and localmllm, and prints one line per answer and the run's figures.";

// As GOption fills it in; the strings are ours.
struct Raw {
  gchar *models = nullptr;
  gchar *model = nullptr;
  gchar *mmproj = nullptr;
  gchar *clip = nullptr;
  gchar *timeline = nullptr;
  gchar **prompts = nullptr;
  gchar **rest = nullptr;
  gdouble max_rate = Arguments{}.max_rate;
  gint threads = 0;
  gboolean live = FALSE;
  gboolean changes = FALSE;
  gboolean json = FALSE;
  gboolean version = FALSE;

  Raw() = default;
  Raw(const Raw &) = delete;
  Raw &operator=(const Raw &) = delete;
  ~Raw() {
    for (auto *text : {models, model, mmproj, clip, timeline}) g_free(text);
    g_strfreev(prompts);
    g_strfreev(rest);
  }
};

struct ContextFree {
  void operator()(GOptionContext *context) const { g_option_context_free(context); }
};

Status wrong(const std::string &sentence) {
  return {StatusKind::invalid_argument, sentence + " 'saccade-demo --help' lists the options."};
}

Status parse_into(Raw &raw, int argc, char **argv) {
  const GOptionEntry entries[] = {
      {"models", 0, 0, G_OPTION_ARG_FILENAME, &raw.models,
       "Folder with saccade-edge-text.gguf and saccade-edge-mmproj.gguf (default: $SACCADE_MODELS, else "
       "samples/models)",
       "DIR"},
      {"model", 0, 0, G_OPTION_ARG_FILENAME, &raw.model, "A language model of your own (with --mmproj)",
       "GGUF"},
      {"mmproj", 0, 0, G_OPTION_ARG_FILENAME, &raw.mmproj, "Its vision encoder and projector", "GGUF"},
      {"clip", 0, 0, G_OPTION_ARG_FILENAME, &raw.clip, "The clip to watch", "FILE"},
      {"timeline", 0, 0, G_OPTION_ARG_FILENAME, &raw.timeline,
       "Its ground truth; asks all of its questions and reports accuracy", "JSON"},
      {"prompt", 0, 0, G_OPTION_ARG_STRING_ARRAY, &raw.prompts, "A question; may be given several times",
       "TEXT"},
      {"max-rate", 0, 0, G_OPTION_ARG_DOUBLE, &raw.max_rate,
       "Pictures per second of stream time that are looked at, at most (default: 2; 0 = all)", "RATE"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &raw.threads, "Threads of the model (default: 0 = automatic)", "N"},
      {"live", 0, 0, G_OPTION_ARG_NONE, &raw.live,
       "Play by the clock, as a camera would; late pictures are dropped", nullptr},
      {"changes", 0, 0, G_OPTION_ARG_NONE, &raw.changes,
       "Print an answer only when it differs from the last one", nullptr},
      {"json", 0, 0, G_OPTION_ARG_NONE, &raw.json,
       "Print one JSON object per answer, and one with the figures", nullptr},
      {"version", 0, 0, G_OPTION_ARG_NONE, &raw.version, "Print the version", nullptr},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &raw.rest, nullptr, nullptr},
      {}};
  const std::unique_ptr<GOptionContext, ContextFree> context(g_option_context_new(nullptr));
  g_option_context_set_summary(context.get(), kSummary);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  g_option_context_add_group(context.get(), gst_init_get_option_group());
  GError *error = nullptr;
  if (!g_option_context_parse(context.get(), &argc, &argv, &error)) {
    const ErrorPtr owned(error);
    return wrong(std::string(error->message) + ".");
  }
  return {};
}

std::string models_folder(const Raw &raw) {
  if (raw.models) return raw.models;
  const char *named = std::getenv("SACCADE_MODELS");
  return named && *named ? named : kDefaultModels;
}

Status choose_model(const Raw &raw, Arguments &arguments) {
  if (raw.model || raw.mmproj) {
    if (!raw.model || !raw.mmproj)
      return wrong("--model and --mmproj go together: a model sees through its own projector.");
    arguments.model = raw.model;
    arguments.mmproj = raw.mmproj;
    return {};
  }
  const std::filesystem::path folder = models_folder(raw);
  arguments.model = folder / kTextModel;
  arguments.mmproj = folder / kProjector;
  for (const auto &file : {arguments.model, arguments.mmproj}) {
    if (!std::filesystem::exists(file)) {
      return {StatusKind::not_found,
              "there is no " + file +
                  ". Name the folder of the default model with --models, or a model of your "
                  "own with --model and --mmproj."};
    }
  }
  return {};
}

}  // namespace

Result<std::optional<Arguments>> parse_arguments(int argc, char **argv) {
  Raw raw;
  if (const auto status = parse_into(raw, argc, argv); !status.ok()) return status;
  if (raw.version) {
    std::cout << "saccade-demo " SACCADE_VERSION "\n";
    return std::optional<Arguments>{};
  }
  if (raw.rest)
    return wrong(std::string("\"") + raw.rest[0] + "\" belongs to no option; a clip is named with --clip.");
  if (!raw.clip) return wrong("which clip? Name it with --clip FILE.");
  if (!raw.timeline && !raw.prompts)
    return wrong("what should be asked? Give --prompt TEXT, or --timeline JSON.");
  if (!(raw.max_rate >= 0 && raw.max_rate <= kHighestRate))
    return wrong("--max-rate is from 0 to 1000 pictures per second.");
  if (raw.threads < 0) return wrong("--threads is 0 or more.");

  Arguments arguments;
  if (const auto status = choose_model(raw, arguments); !status.ok()) return status;
  arguments.clip = raw.clip;
  if (raw.timeline) arguments.timeline = raw.timeline;
  for (auto prompt = raw.prompts; prompt && *prompt; ++prompt) arguments.questions.emplace_back(*prompt);
  arguments.max_rate = raw.max_rate;
  arguments.threads = raw.threads;
  arguments.live = raw.live;
  arguments.changes_only = raw.changes;
  arguments.json = raw.json;
  return std::optional(std::move(arguments));
}

}  // namespace saccade::demo
