#include "server/arguments.h"

#include <glib.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/glib_pointer.h"

namespace saccade {
namespace {

// As GOption fills them in.
struct Raw {
  char *model = nullptr, *mmproj = nullptr, *model_name = nullptr, *chat_template = nullptr;
  char *system_prompt = nullptr, *detail = nullptr, *encoder = nullptr;
  char *host = nullptr, *tls_cert = nullptr, *tls_key = nullptr, *api_key_file = nullptr;
  int threads = 0, max_context = 4096, max_tokens = 512, guesses = 16, parallel = 4, max_queue = 64;
  int port = 8080;
  gint64 max_request_size = 16 << 20, max_pixels = 40'000'000, picture_cache = 256;
  double rate_limit = 0, request_timeout = 60, drain_timeout = 30;
  gboolean version = FALSE;

  ~Raw() {
    for (char *text : {model, mmproj, model_name, chat_template, system_prompt, detail, encoder, host,
                       tls_cert, tls_key, api_key_file})
      g_free(text);
  }
};

std::string text_of(const char *text, const char *otherwise = "") { return text ? text : otherwise; }

Status invalid(std::string what) { return {StatusKind::invalid_argument, std::move(what)}; }

Status parse(int argc, char **argv, Raw &raw) {
  const GOptionEntry entries[] = {
      {"model", 'm', 0, G_OPTION_ARG_FILENAME, &raw.model, "The language model, a GGUF file (required)",
       "FILE"},
      {"mmproj", 0, 0, G_OPTION_ARG_FILENAME, &raw.mmproj, "Its projector, a GGUF file (required)", "FILE"},
      {"model-name", 0, 0, G_OPTION_ARG_STRING, &raw.model_name,
       "Name that clients see (default: the file's)", "NAME"},
      {"threads", 't', 0, G_OPTION_ARG_INT, &raw.threads,
       "Threads of matrix products (default: 0, by the model's size)", "N"},
      {"max-context", 'c', 0, G_OPTION_ARG_INT, &raw.max_context,
       "Tokens of a prompt and its answer (default: 4096)", "N"},
      {"max-tokens", 0, 0, G_OPTION_ARG_INT, &raw.max_tokens, "Tokens of an answer, at most (default: 512)",
       "N"},
      {"guesses", 0, 0, G_OPTION_ARG_INT, &raw.guesses,
       "Tokens of drafts and predictions checked at once (default: 16)", "N"},
      {"chat-template", 0, 0, G_OPTION_ARG_STRING, &raw.chat_template, "In place of the model's own", "NAME"},
      {"system-prompt", 0, 0, G_OPTION_ARG_STRING, &raw.system_prompt, "For conversations without one",
       "TEXT"},
      {"detail", 0, 0, G_OPTION_ARG_STRING, &raw.detail, "overview or tiles (default: overview)", "HOW"},
      {"encoder", 0, 0, G_OPTION_ARG_STRING, &raw.encoder, "auto, int8, fp32 or libmtmd (default: auto)",
       "KIND"},
      {"max-pixels", 0, 0, G_OPTION_ARG_INT64, &raw.max_pixels, "Of one picture (default: 40000000)", "N"},
      {"picture-cache", 0, 0, G_OPTION_ARG_INT64, &raw.picture_cache,
       "MiB of encoded pictures kept (default: 256)", "MIB"},
      {"parallel", 'p', 0, G_OPTION_ARG_INT, &raw.parallel, "Answers written side by side (default: 4)", "N"},
      {"max-queue", 0, 0, G_OPTION_ARG_INT, &raw.max_queue, "Requests that wait for their turn (default: 64)",
       "N"},
      {"host", 0, 0, G_OPTION_ARG_STRING, &raw.host, "IP address to listen on (default: 127.0.0.1)",
       "ADDRESS"},
      {"port", 0, 0, G_OPTION_ARG_INT, &raw.port, "Port, 0 for any that is free (default: 8080)", "N"},
      {"tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &raw.tls_cert, "Certificate, a PEM file: https", "FILE"},
      {"tls-key", 0, 0, G_OPTION_ARG_FILENAME, &raw.tls_key, "Its key, a PEM file", "FILE"},
      {"api-key-file", 0, 0, G_OPTION_ARG_FILENAME, &raw.api_key_file,
       "Keys, one a line, one of which clients must send", "FILE"},
      {"max-request-size", 0, 0, G_OPTION_ARG_INT64, &raw.max_request_size,
       "Bytes of a request (default: 16777216)", "BYTES"},
      {"request-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.request_timeout,
       "Seconds for a request to arrive (default: 60)", "SECONDS"},
      {"rate-limit", 0, 0, G_OPTION_ARG_DOUBLE, &raw.rate_limit,
       "Requests per second and client (default: 0, no limit)", "N"},
      {"drain-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.drain_timeout,
       "Seconds that a stop waits for answers (default: 30)", "SECONDS"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &raw.version, "Print the version and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  struct ContextFree {
    void operator()(GOptionContext *context) const { g_option_context_free(context); }
  };
  const std::unique_ptr<GOptionContext, ContextFree> context(
      g_option_context_new("- a multimodal model behind OpenAI's chat completions"));
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  GError *error = nullptr;
  if (g_option_context_parse(context.get(), &argc, &argv, &error)) {
    if (argc > 1) return invalid(std::string("\"") + argv[1] + "\" is no option; --help lists them");
    return {};
  }
  const ErrorPointer freed(error);
  return invalid(std::string(error->message) + "; --help lists the options");
}

std::optional<EncoderKind> encoder_of(std::string_view name) {
  if (name == "auto") return EncoderKind::automatic;
  if (name == "int8") return EncoderKind::int8;
  if (name == "fp32") return EncoderKind::fp32;
  if (name == "libmtmd") return EncoderKind::libmtmd;
  return std::nullopt;
}

Status check(const Raw &raw) {
  if (!raw.model || !raw.mmproj)
    return invalid("--model and --mmproj are missing: the GGUF files of a language model and its projector");
  const std::pair<const char *, bool> rules[] = {
      {"--parallel must be 1 to 64", raw.parallel >= 1 && raw.parallel <= 64},
      {"--max-queue must be 0 or more", raw.max_queue >= 0},
      {"--port must be 0 to 65535", raw.port >= 0 && raw.port <= 65'535},
      {"--threads must be 0 or more", raw.threads >= 0},
      {"--guesses must be 0 to 256", raw.guesses >= 0 && raw.guesses <= 256},
      {"--max-context must be 64 or more", raw.max_context >= 64},
      {"--max-tokens must be 1 or more", raw.max_tokens >= 1},
      {"--max-pixels must be 4 or more", raw.max_pixels >= 4},
      {"--picture-cache must be 0 or more", raw.picture_cache >= 0 && raw.picture_cache < (1 << 20)},
      {"--max-request-size must be 1 or more", raw.max_request_size >= 1},
      {"--rate-limit must be 0 or more", raw.rate_limit >= 0},
      {"--request-timeout must be 0.001 to 86400",
       raw.request_timeout >= 0.001 && raw.request_timeout <= 86'400},
      {"--drain-timeout must be 0 to 86400", raw.drain_timeout >= 0 && raw.drain_timeout <= 86'400},
      {"--tls-cert and --tls-key belong together", !raw.tls_cert == !raw.tls_key},
  };
  for (const auto &[rule, holds] : rules)
    if (!holds) return invalid(rule);
  return {};
}

}  // namespace

Result<std::optional<Arguments>> read_arguments(int argc, char **argv) {
  Raw raw;
  if (auto status = parse(argc, argv, raw); !status.ok()) return status;
  if (raw.version) {
    std::puts(SACCADE_VERSION);
    return std::optional<Arguments>();
  }
  if (auto status = check(raw); !status.ok()) return status;
  Arguments arguments;
  auto &server = arguments.server;
  server.files = {raw.model, raw.mmproj, raw.threads};
  server.model_name = text_of(raw.model_name);
  server.host = text_of(raw.host, "127.0.0.1");
  server.port = raw.port;
  server.tls_certificate = text_of(raw.tls_cert);
  server.tls_key = text_of(raw.tls_key);
  server.api_key_file = text_of(raw.api_key_file);
  server.max_request_size = static_cast<std::size_t>(raw.max_request_size);
  server.rate_limit = raw.rate_limit;
  server.request_timeout = from_seconds(raw.request_timeout);
  auto &desk = server.desk;
  desk.parallel = raw.parallel;
  desk.max_queue = static_cast<std::size_t>(raw.max_queue);
  desk.picture_cache_bytes = static_cast<std::size_t>(raw.picture_cache) << 20;
  desk.session.max_context = raw.max_context;
  desk.session.max_tokens = raw.max_tokens;
  desk.session.guesses = raw.guesses;
  desk.session.chat_template = text_of(raw.chat_template);
  desk.session.system_prompt = text_of(raw.system_prompt);
  desk.reading.most_pixels = raw.max_pixels;
  const auto detail = text_of(raw.detail, "overview");
  if (detail != "overview" && detail != "tiles") return invalid("--detail must be overview or tiles");
  desk.reading.detail = detail == "tiles" ? PictureDetail::tiles : PictureDetail::overview;
  const auto encoder = encoder_of(text_of(raw.encoder, "auto"));
  if (!encoder) return invalid("--encoder must be auto, int8, fp32 or libmtmd");
  desk.reading.encoder = *encoder;
  arguments.drain_timeout = from_seconds(raw.drain_timeout);
  return std::optional<Arguments>(std::move(arguments));
}

}  // namespace saccade
