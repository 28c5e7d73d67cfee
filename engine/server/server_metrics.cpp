#include "server/server_metrics.h"

#include <utility>
#include <vector>

#include "base/prometheus.h"

namespace saccade {

std::string metrics_text(const ServerFigures &server, const DeskFigures &desk) {
  PrometheusText text{""};
  std::vector<std::pair<std::string, std::uint64_t>> by_status;
  for (const auto &[status, count] : server.requests)
    by_status.emplace_back(prometheus_label("status", std::to_string(status)), count);
  text.counters("saccade_server_requests_total", "Requests answered, by status.", by_status);
  text.gauge("saccade_server_in_flight", "Chat completions taken and not answered yet.",
             static_cast<double>(server.in_flight));
  text.gauge("saccade_server_busy_sessions", "Sessions that are at work.", desk.busy);
  text.gauge("saccade_server_queue", "Chat completions that wait for a session.",
             static_cast<double>(desk.queued));
  text.gauge("saccade_server_draining", "1 while the server finishes what it has taken and takes no more.",
             server.draining ? 1 : 0);
  text.histogram("saccade_server_request_seconds", "Of chat completions, from first byte to last.",
                 server.seconds);
  text.histogram("saccade_server_waiting_seconds", "Until a session was free.", desk.waiting);
  text.histogram("saccade_server_encode_seconds", "Encoding a request's pictures and sounds.", desk.encode);
  text.histogram("saccade_server_prefill_seconds", "Reading a request's prompt.", desk.prefill);
  text.histogram("saccade_server_decode_seconds", "Writing an answer.", desk.decode);
  text.counter("saccade_server_prompt_tokens_total", "Tokens of prompts.", desk.prompt_tokens);
  text.counter("saccade_server_prompt_tokens_read_total", "Those of them that were not in the cache.",
               desk.prompt_tokens_read);
  text.counter("saccade_server_completion_tokens_total", "Tokens of answers.", desk.completion_tokens);
  text.counter("saccade_server_pictures_encoded_total", "Pictures and sounds that were encoded.",
               desk.pictures_encoded);
  text.counter("saccade_server_pictures_remembered_total",
               "Pictures and sounds that had been encoded before.", desk.pictures_remembered);
  return text.text();
}

}  // namespace saccade
