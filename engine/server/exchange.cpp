#include "server/exchange.h"

#include <utility>

#include "server/hang_up.h"
#include "server/reply.h"

namespace saccade {

Exchange::Exchange(SoupServerMessage *message, Inbox &inbox, ResponseHead head, Ended ended)
    : message_(SOUP_SERVER_MESSAGE(g_object_ref(message))),
      inbox_(inbox),
      head_(std::move(head)),
      ended_(std::move(ended)) {}

Exchange::~Exchange() {
  if (finished_ != 0) g_signal_handler_disconnect(message_.get(), finished_);
}

bool Exchange::begin(AnswerDesk &desk, ChatRequest request) {
  if (request.beginning) pieces_ = AnswerPieces::exact();
  auto messages = std::exchange(request.messages, {});
  request_ = request;
  request.messages = std::move(messages);
  // Only the server's thread may hold on to an exchange, for a message is libsoup's.
  const auto self = weak_from_this();
  Order order;
  order.request = std::move(request);
  order.stop = stop_.get_token();
  order.grew = [self, &inbox = inbox_](std::string_view bytes) {
    inbox.post([self, bytes = std::string(bytes)] {
      if (const auto there = self.lock()) there->grew(bytes);
    });
  };
  order.done = [self, &inbox = inbox_](Result<Answer> made) {
    inbox.post([self, made = std::make_shared<const Result<Answer>>(std::move(made))] {
      if (const auto there = self.lock()) there->done(*made);
    });
  };
  if (!desk.submit(std::move(order))) return false;
  finished_ = g_signal_connect(message_.get(), "finished", G_CALLBACK(on_finished), this);
  soup_server_message_pause(message_.get());
  watch_client();
  return true;
}

// A paused message is not looked at by libsoup, so that it would not see that nobody waits any more. A client
// that closes its own side only counts as one that has left, as in other web servers.
void Exchange::watch_client() {
  GSocket *socket = soup_server_message_get_socket(message_.get());
  if (!socket) return;
  hung_up_ = watch_hang_up(g_socket_get_fd(socket), [this] {
    client_left_ = true;
    cancel();
  });
}

void Exchange::on_finished(SoupServerMessage *, gpointer self) { static_cast<Exchange *>(self)->end(); }

void Exchange::end() {
  if (over_) return;
  over_ = true;
  if (!complete_) status_ = kClientLeft;
  hung_up_.reset();
  cancel();
  const auto self = shared_from_this();  // its owner lets go
  ended_(*this);
}

void Exchange::start_stream() {
  streaming_ = true;
  auto *headers = soup_server_message_get_response_headers(message_.get());
  const bool old = soup_server_message_get_http_version(message_.get()) == SOUP_HTTP_1_0;
  soup_message_headers_set_encoding(headers, old ? SOUP_ENCODING_EOF : SOUP_ENCODING_CHUNKED);
  soup_message_headers_set_content_type(headers, "text/event-stream", nullptr);
  soup_message_headers_replace(headers, "Cache-Control", "no-cache");
  soup_message_body_set_accumulate(soup_server_message_get_response_body(message_.get()), FALSE);
  soup_server_message_set_status(message_.get(), SOUP_STATUS_OK, nullptr);
  send(chunk_of_role(head_));
}

// One event of the stream (Server-Sent Events, WHATWG HTML 9.2).
void Exchange::send(std::string_view event) {
  std::string text = "data: ";
  text.append(event).append("\n\n");
  soup_message_body_append(soup_server_message_get_response_body(message_.get()), SOUP_MEMORY_COPY,
                           text.data(), text.size());
  soup_server_message_unpause(message_.get());
}

void Exchange::grew(std::string_view bytes) {
  if (over_ || client_left_) return;
  const auto text = pieces_.add(bytes);
  if (!streaming_) start_stream();
  if (!text.empty()) send(chunk_of_text(head_, text));
}

void Exchange::done(const Result<Answer> &made) {
  if (over_) return;
  complete_ = true;
  hung_up_.reset();  // who has the whole answer may leave
  status_ = client_left_ ? kClientLeft : http_status_of(made.status());
  if (!made.ok()) {
    failed(made.status());
  } else if (request_.stream) {
    done_streaming(made.value());
  } else {
    done_at_once(made.value());
  }
  soup_server_message_unpause(message_.get());
}

void Exchange::done_at_once(const Answer &answer) {
  note_tokens(answer);
  auto text = pieces_.add(answer.text);
  text += pieces_.finish();
  reply_json(message_.get(), SOUP_STATUS_OK, completion_json(head_, request_, answer, text));
}

void Exchange::done_streaming(const Answer &answer) {
  note_tokens(answer);
  if (!streaming_) start_stream();
  if (const auto rest = pieces_.finish(); !rest.empty()) send(chunk_of_text(head_, rest));
  send(chunk_of_end(head_, request_, answer));
  if (request_.include_usage) send(chunk_of_usage(head_, request_, answer));
  send("[DONE]");
  soup_message_body_complete(soup_server_message_get_response_body(message_.get()));
}

void Exchange::note_tokens(const Answer &answer) {
  account_ = std::to_string(answer.prompt_tokens) + " + " +
             std::to_string(answer.beginning.size() + answer.token_log_probabilities.size()) + " tokens";
}

void Exchange::failed(const Status &status) {
  const bool cancelled = status.kind() == StatusKind::cancelled;
  std::string_view sentence = status.message();
  if (cancelled) sentence = "the server is stopping and did not finish this answer; ask again";
  // Sentences about the server quote nobody; those that may quote a client are about its request.
  if (status_ >= 500) account_ = sentence;
  if (streaming_) {  // the head was sent long ago
    send(error_json(status_, sentence));
    soup_message_body_complete(soup_server_message_get_response_body(message_.get()));
  } else {
    reply_error(message_.get(), status_, sentence);
  }
}

}  // namespace saccade
