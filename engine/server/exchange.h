// One chat completion on its way: from the request to the last byte of its answer. Internal to the server.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/glib_inbox.h"
#include "base/glib_pointer.h"
#include "server/answer_desk.h"
#include "server/answer_pieces.h"
#include "server/chat_response.h"

namespace saccade {

// What the client gets when it has left; nginx's number for it.
inline constexpr unsigned kClientLeft = 499;

// Lives on the server's thread, where all of its functions are called; the desk's callbacks come there, too,
// by way of the inbox.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Called once, as the last thing: its owner lets go of it there.
  using Ended = std::function<void(Exchange &)>;

  // inbox: of the server's thread; it outlives the desk.
  Exchange(SoupServerMessage *message, Inbox &inbox, ResponseHead head, Ended ended);
  ~Exchange();
  Exchange(const Exchange &) = delete;
  Exchange &operator=(const Exchange &) = delete;

  // Gives the request to the desk and pauses the message until there is something to send; false when the
  // desk is full, and the exchange has not begun.
  bool begin(AnswerDesk &desk, ChatRequest request);

  // Nobody waits for the answer any more, or the server will not wait for it. The desk is asked to stop.
  void cancel() { stop_.request_stop(); }

  SoupServerMessage *message() const { return message_.get(); }
  // How it was answered, once it has ended; kClientLeft where the client went before the whole answer was
  // there. Who goes with the last byte has it, whatever libsoup makes of that; and what fails in the middle
  // of a stream has failed, whatever its head said.
  unsigned status() const { return status_; }
  // For the log: tokens of prompt and answer, or why there is none where that is no fault of the client's.
  const std::string &account() const { return account_; }

 private:
  static void on_finished(SoupServerMessage *message, gpointer self);
  void watch_client();
  void grew(std::string_view bytes);
  void done(const Result<Answer> &made);
  void done_at_once(const Answer &answer);
  void done_streaming(const Answer &answer);
  void note_tokens(const Answer &answer);
  void failed(const Status &status);
  void start_stream();
  void send(std::string_view event);
  void end();

  ObjectPointer<SoupServerMessage> message_;
  Inbox &inbox_;
  ResponseHead head_;
  Ended ended_;
  ChatRequest request_;  // without its messages, which are the desk's
  AnswerPieces pieces_ = AnswerPieces::trimmed();
  std::stop_source stop_;
  SourcePointer hung_up_;  // watches the client's end of the connection
  gulong finished_ = 0;
  bool client_left_ = false;
  unsigned status_ = 0;
  bool complete_ = false;   // libsoup has all there is to send
  bool streaming_ = false;  // the head of the stream was sent
  bool over_ = false;       // the message is libsoup's alone
  std::string account_;
};

}  // namespace saccade
