#include "offload/chat_question.h"

#include <json-glib/json-glib.h>

#include <functional>
#include <span>

#include "base/glib_pointer.h"

namespace saccade {

namespace {

std::string base64(std::span<const std::uint8_t> bytes) {
  const CString encoded(g_base64_encode(bytes.data(), bytes.size()));
  return encoded.get();
}

// An object written by json-glib: `fill` is called between its braces.
std::string object(const std::function<void(JsonBuilder *)> &fill) {
  const ObjectPointer<JsonBuilder> builder(json_builder_new_immutable());
  json_builder_begin_object(builder.get());
  fill(builder.get());
  json_builder_end_object(builder.get());
  JsonNode *root = json_builder_get_root(builder.get());
  gsize length = 0;
  const ObjectPointer<JsonGenerator> generator(json_generator_new());
  json_generator_set_root(generator.get(), root);
  const CString text(json_generator_to_data(generator.get(), &length));
  json_node_unref(root);
  return {text.get(), length};
}

void add(JsonBuilder *builder, const char *name, const std::string &value) {
  const CString valid(g_utf8_make_valid(value.data(), static_cast<gssize>(value.size())));
  json_builder_set_member_name(builder, name);
  json_builder_add_string_value(builder, valid.get());
}

void add(JsonBuilder *builder, const char *name, int value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, value);
}

void add(JsonBuilder *builder, const char *name, bool value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, value ? TRUE : FALSE);
}

void add_object(JsonBuilder *builder, const char *name, const std::function<void()> &fill) {
  json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
  fill();
  json_builder_end_object(builder);
}

void add_part(JsonBuilder *builder, const char *type, const std::function<void()> &fill) {
  json_builder_begin_object(builder);
  add(builder, "type", std::string(type));
  fill();
  json_builder_end_object(builder);
}

void add_user_message(JsonBuilder *builder, const ChatQuestion &question) {
  add(builder, "role", std::string("user"));
  json_builder_set_member_name(builder, "content");
  json_builder_begin_array(builder);
  add_part(builder, "text", [&] { add(builder, "text", question.text); });
  for (const auto &image : question.images) {
    add_part(builder, "image_url", [&] {
      add_object(builder, "image_url",
                 [&] { add(builder, "url", std::string("data:image/jpeg;base64,").append(base64(image))); });
    });
  }
  if (!question.sound.empty()) {
    add_part(builder, "input_audio", [&] {
      add_object(builder, "input_audio", [&] {
        add(builder, "data", base64(question.sound));
        add(builder, "format", std::string("wav"));
      });
    });
  }
  json_builder_end_array(builder);
}

void add_settings(JsonBuilder *builder, const ChatQuestion &question, const GivenWords &given) {
  const bool scored = given.use == DraftUse::score;
  add(builder, "model", question.model);
  add(builder, "max_tokens", scored ? 1 : question.max_tokens);
  add(builder, "temperature", 0);
  add(builder, "logprobs", true);
  add(builder, "stream", !scored);
  if (!scored)
    add_object(builder, "stream_options", [&] { add(builder, "include_usage", true); });
  else
    add(builder, "prompt_logprobs", 1);
  if (scored || given.use == DraftUse::go_on) {
    // Servers refuse both to be true.
    add(builder, "continue_final_message", true);
    add(builder, "add_generation_prompt", false);
  }
  if (given.use == DraftUse::predict) {
    add_object(builder, "prediction", [&] {
      add(builder, "type", std::string("content"));
      add(builder, "content", given.text);
    });
  }
}

}  // namespace

std::string chat_request_head(const ChatQuestion &question) {
  std::string head = "{\"messages\":[";
  return head.append(object([&](JsonBuilder *builder) { add_user_message(builder, question); }));
}

std::string chat_request_tail(const ChatQuestion &question, const GivenWords &given) {
  std::string tail;
  if (given.use == DraftUse::score || given.use == DraftUse::go_on) {
    tail = ",";
    tail += object([&](JsonBuilder *builder) {
      add(builder, "role", std::string("assistant"));
      add(builder, "content", given.text);
    });
  }
  const auto settings = object([&](JsonBuilder *builder) { add_settings(builder, question, given); });
  tail += "],";
  return tail.append(settings, 1);  // without its opening brace: the head has one
}

}  // namespace saccade
