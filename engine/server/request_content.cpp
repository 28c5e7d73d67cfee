#include "server/request_content.h"

#include <string_view>
#include <utility>

#include "base/glib_pointer.h"
#include "base/json_read.h"

namespace saccade {
namespace {

constexpr guint kMostMessages = 256;
constexpr std::size_t kMostParts = 256;  // of one message

Status invalid(std::string what) { return {StatusKind::invalid_argument, std::move(what)}; }
Status unsupported(std::string what) { return {StatusKind::unsupported, std::move(what)}; }

// json-glib takes escapes of half a character as they come.
std::string text_of(const char *text) {
  const CString valid(g_utf8_make_valid(text, -1));
  return valid.get();
}

// Nothing when it is no base64: GLib's decoder passes over whatever else it meets.
std::string decode_base64(std::string_view encoded) {
  while (encoded.ends_with('=')) encoded.remove_suffix(1);
  for (const char c : encoded)
    if (!g_ascii_isalnum(c) && c != '+' && c != '/') return {};
  if (encoded.empty()) return {};
  std::string padded(encoded);
  padded.append((4 - padded.size() % 4) % 4, '=');
  gsize size = 0;
  g_base64_decode_inplace(padded.data(), &size);
  padded.resize(size);
  return padded;
}

Result<ContentPart> picture_part(JsonNode *part, const std::string &where) {
  JsonNode *image = member(part, "image_url");
  const char *given = string_of(image) ? string_of(image) : string_of(member(image, "url"));
  if (!given) return invalid(where + ": image_url.url is missing");
  const std::string_view url(given);
  const auto comma = url.find(',');
  const auto head = url.substr(0, comma);
  if (!head.starts_with("data:"))
    return unsupported(where +
                       ": this server fetches nothing from elsewhere. Send the picture itself, as "
                       "\"data:image/jpeg;base64,...\" or \"data:image/png;base64,...\"");
  const bool known =
      head == "data:image/jpeg;base64" || head == "data:image/jpg;base64" || head == "data:image/png;base64";
  if (!known || comma == std::string_view::npos)
    return unsupported(where + ": pictures are taken as data:image/jpeg;base64 or data:image/png;base64");
  auto bytes = decode_base64(url.substr(comma + 1));
  if (bytes.empty()) return invalid(where + ": what follows \"base64,\" is no base64");
  return ContentPart{ContentPart::Kind::picture, std::move(bytes)};
}

Result<ContentPart> sound_part(JsonNode *part, const std::string &where) {
  JsonNode *sound = member(part, "input_audio");
  const char *data = string_of(member(sound, "data"));
  const char *format = string_of(member(sound, "format"));
  if (!data || !format) return invalid(where + ": input_audio.data or input_audio.format is missing");
  if (std::string_view(format) != "wav") return unsupported(where + ": sounds are taken as \"wav\" only");
  auto bytes = decode_base64(data);
  if (bytes.empty()) return invalid(where + ": input_audio.data is no base64");
  return ContentPart{ContentPart::Kind::sound, std::move(bytes)};
}

Result<ContentPart> read_part(JsonNode *part, const std::string &where) {
  const char *given = string_of(member(part, "type"));
  const std::string_view type = given ? given : "";
  if (type == "text") {
    const char *text = string_of(member(part, "text"));
    if (!text) return invalid(where + ": text is missing");
    return ContentPart{ContentPart::Kind::text, text_of(text)};
  }
  if (type == "image_url") return picture_part(part, where);
  if (type == "input_audio") return sound_part(part, where);
  return unsupported(where + ": its type must be text, image_url or input_audio");
}

Result<Role> read_role(JsonNode *message, const std::string &where) {
  const char *given = string_of(member(message, "role"));
  const std::string_view role = given ? given : "";
  if (role == "system" || role == "developer") return Role::system;
  if (role == "user") return Role::user;
  if (role == "assistant") return Role::assistant;
  return unsupported(where + ".role must be system, developer, user or assistant");
}

Result<std::vector<ContentPart>> read_content(JsonNode *content, Role role, const std::string &where) {
  std::vector<ContentPart> parts;
  if (const char *text = string_of(content)) {
    if (*text) parts.push_back({ContentPart::Kind::text, text_of(text)});
    return parts;
  }
  JsonArray *array = array_of(content);
  if (!array) return invalid(where + " must be a text or an array of parts");
  if (json_array_get_length(array) > kMostParts) return invalid(where + " has too many parts");
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    const auto here = where + "[" + std::to_string(i) + "]";
    auto part = read_part(json_array_get_element(array, i), here);
    if (!part.ok()) return part.status();
    if (role != Role::user && part.value().kind != ContentPart::Kind::text)
      return unsupported(here + ": pictures and sounds are the user's");
    parts.push_back(std::move(part).value());
  }
  return parts;
}

}  // namespace

Result<std::vector<ChatMessage>> read_messages(JsonNode *messages) {
  JsonArray *array = array_of(messages);
  if (!array || json_array_get_length(array) == 0)
    return invalid("messages is missing or empty: it is the conversation, an array of {role, content}");
  if (json_array_get_length(array) > kMostMessages) return invalid("messages has more than 256 messages");
  std::vector<ChatMessage> read;
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    JsonNode *message = json_array_get_element(array, i);
    const auto where = "messages[" + std::to_string(i) + "]";
    auto role = read_role(message, where);
    if (!role.ok()) return role.status();
    auto parts = read_content(member(message, "content"), role.value(), where + ".content");
    if (!parts.ok()) return parts.status();
    read.push_back({role.value(), std::move(parts).value()});
  }
  return read;
}

Result<std::string> read_text(JsonNode *content, const std::string &field) {
  auto parts = read_content(content, Role::system, field);
  if (!parts.ok()) return parts.status();
  std::string text;
  for (const auto &part : parts.value()) text += part.data;
  return text;
}

}  // namespace saccade
