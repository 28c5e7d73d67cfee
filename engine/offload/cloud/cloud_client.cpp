#include "offload/cloud/cloud_client.h"

#include <utility>

#include "offload/cloud/cloud_session.h"
#include "offload/cloud/cloud_worker.h"
#include "offload/cloud/endpoint.h"

namespace saccade {

CloudClient::CloudClient(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
CloudClient::~CloudClient() = default;

Result<std::unique_ptr<CloudClient>> CloudClient::create(CloudSettings settings, LinkCallback on_link) {
  auto urls = chat_completions_urls(settings.endpoint);
  if (!urls.ok()) return urls.status();
  if (auto sound = check(settings); !sound.ok()) return sound;
  auto authorities = authorities_of(settings);
  if (!authorities.ok()) return authorities.status();
  auto worker = std::make_unique<Worker>(std::move(settings), std::move(urls).value(),
                                         std::move(authorities).value(), std::move(on_link));
  return std::unique_ptr<CloudClient>(new CloudClient(std::move(worker)));
}

Result<CloudClient::Ticket> CloudClient::submit(ChatQuestion question, Asking asking) {
  return worker_->submit(std::move(question), std::move(asking));
}

CloudOutcome CloudClient::outcome_of_refusal(Status why) {
  CloudOutcome outcome;
  outcome.may_pass = why.kind() != StatusKind::cancelled;
  outcome.answer = std::move(why);
  return outcome;
}

void CloudClient::go_on(Ticket ticket, std::string draft) { worker_->go_on(ticket, std::move(draft)); }
void CloudClient::cancel(Ticket ticket) { worker_->cancel(ticket); }
bool CloudClient::has_room() const { return worker_->has_room(); }
void CloudClient::stop() { worker_->stop(); }
CloudStatistics CloudClient::statistics() const { return worker_->statistics(); }

}  // namespace saccade
