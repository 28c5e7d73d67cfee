#include "offload/chat/chat_question.h"

#include <glib.h>

#include <span>

#include "base/glib_pointer.h"
#include "base/json_write.h"

namespace saccade {

namespace {

std::string base64(std::span<const std::uint8_t> bytes) {
  const CString encoded(g_base64_encode(bytes.data(), bytes.size()));
  return encoded.get();
}

void write_user_message(JsonText &json, const ChatQuestion &question) {
  json.begin_object().name("role").string("user").name("content").begin_array();
  json.begin_object().name("type").string("text").name("text").string(question.text).end_object();
  for (const auto &image : question.images) {
    json.begin_object().name("type").string("image_url").name("image_url").begin_object();
    json.name("url")
        .string(std::string("data:image/jpeg;base64,").append(base64(image)))
        .end_object()
        .end_object();
  }
  if (!question.sound.empty()) {
    json.begin_object().name("type").string("input_audio").name("input_audio").begin_object();
    json.name("data").string(base64(question.sound)).name("format").string("wav").end_object().end_object();
  }
  json.end_array().end_object();
}

void write_settings(JsonText &json, const ChatQuestion &question, const GivenWords &given) {
  const bool scored = given.use == DraftUse::score;
  json.begin_object().name("model").string(question.model);
  json.name("max_tokens").number(scored ? 1 : question.max_tokens);
  json.name("temperature").number(0).name("logprobs").flag(true).name("stream").flag(!scored);
  if (scored) {
    json.name("prompt_logprobs").number(1);
  } else {
    json.name("stream_options").begin_object().name("include_usage").flag(true).end_object();
  }
  // Servers refuse both of these to be true.
  if (scored || given.use == DraftUse::go_on)
    json.name("continue_final_message").flag(true).name("add_generation_prompt").flag(false);
  if (given.use == DraftUse::predict) {
    json.name("prediction").begin_object().name("type").string("content");
    json.name("content").string(given.text).end_object();
  }
  json.end_object();
}

}  // namespace

std::string chat_request_head(const ChatQuestion &question) {
  JsonText message;
  write_user_message(message, question);
  std::string head = "{\"messages\":[";
  return head += message.text();
}

std::string chat_request_tail(const ChatQuestion &question, const GivenWords &given) {
  std::string tail;
  if (given.use == DraftUse::score || given.use == DraftUse::go_on) {
    JsonText message;
    message.begin_object().name("role").string("assistant").name("content").string(given.text).end_object();
    tail += ',';
    tail += message.text();
  }
  JsonText settings;
  write_settings(settings, question, given);
  return tail.append("],").append(settings.text(), 1);  // without its opening brace: the head has one
}

}  // namespace saccade
