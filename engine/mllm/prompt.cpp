#include "mllm/prompt.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "mllm/token_text.h"
#include "vision/llama_handles.h"

namespace saccade {
namespace {

// Stands for what a turn holds while the template is applied, then marks where to cut. No template trims or
// escapes letters and digits.
std::string marker(std::size_t turn) {
  std::string text = "SaccadeTurn";
  text += std::to_string(turn);
  return text += "GoesHere";
}

TextTokens tokenize(const llama_vocab *vocabulary, const std::string &text, bool control_tokens) {
  if (text.empty()) return {};
  TextTokens tokens(text.size() + 8);
  const auto length = static_cast<std::int32_t>(text.size());
  auto count =
      llama_tokenize(vocabulary, text.data(), length, tokens.data(), static_cast<std::int32_t>(tokens.size()),
                     /*add_special=*/false, control_tokens);
  if (count < 0 && count != INT32_MIN) {
    tokens.resize(static_cast<std::size_t>(-count));
    count = llama_tokenize(vocabulary, text.data(), length, tokens.data(),
                           static_cast<std::int32_t>(tokens.size()), false, control_tokens);
  }
  tokens.resize(static_cast<std::size_t>(std::max(count, 0)));
  return tokens;
}

std::string known_templates() {
  const auto count = llama_chat_builtin_templates(nullptr, 0);
  std::vector<const char *> names(static_cast<std::size_t>(std::max(count, 0)));
  llama_chat_builtin_templates(names.data(), names.size());
  std::string list;
  for (const auto *name : names) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

// llama.cpp's tokeniser would write a sign for "no character" in the place of one that is cut off; a model
// that was cut off there itself had said bytes. The search takes a while, and is for such an end alone.
void append_byte(TextTokens &tokens, const llama_vocab *vocabulary, char byte) {
  const auto count = llama_vocab_n_tokens(vocabulary);
  for (std::int32_t token = 0; token < count; ++token)
    if (text_of_token(vocabulary, token) == std::string_view(&byte, 1)) return tokens.push_back(token);
}

const char *name_of(Role role) {
  switch (role) {
    case Role::system: return "system";
    case Role::user: return "user";
    case Role::assistant: return "assistant";
  }
  return "user";
}

void append_text(std::vector<Stretch> &prompt, const TextTokens &tokens) {
  if (tokens.empty()) return;
  if (!prompt.empty())
    if (auto *text = std::get_if<TextTokens>(&prompt.back())) {
      text->insert(text->end(), tokens.begin(), tokens.end());
      return;
    }
  prompt.emplace_back(tokens);
}

void append_content(std::vector<Stretch> &prompt, std::span<const EncodedImage> content) {
  for (const auto &image : content) {
    for (const auto &piece : image.pieces) {
      append_text(prompt, piece.announcement);
      if (piece.tokens && piece.tokens->count() > 0) prompt.emplace_back(piece.tokens);
    }
    append_text(prompt, image.closing);
  }
}

}  // namespace

Result<PromptMaker> PromptMaker::create(std::shared_ptr<ModelPair> pair, const std::string &chat_template) {
  PromptMaker maker;
  maker.template_ = chat_template;
  if (chat_template.empty()) {
    const char *own = llama_model_chat_template(pair->impl().text.get(), nullptr);
    // A model without a template is asked as a chat model of the most common kind.
    maker.template_ = own ? own : "chatml";
  }
  const Turn question[] = {{Role::user, {}}};
  const auto anew = maker.render(question, AnswerStart::anew);
  if (anew.find(marker(0)) == std::string::npos)
    return Status{StatusKind::unsupported,
                  "\"" + pair->files().text +
                      "\": its chat template is none that llama.cpp knows without Jinja. "
                      "Set chat-template to one of: " +
                      known_templates()};
  const auto continued = maker.render(question, AnswerStart::continued);
  if (continued.starts_with(anew) && trimmed(continued.substr(anew.size())).empty())
    maker.lead_ = continued.substr(anew.size());
  maker.pair_ = std::move(pair);
  return maker;
}

// The template's text with markers for what the turns hold; empty when llama.cpp does not know the template.
std::string PromptMaker::render(std::span<const Turn> turns, AnswerStart start) const {
  std::vector<std::string> markers;
  for (std::size_t i = 0; i <= turns.size(); ++i) markers.push_back(marker(i));
  std::vector<llama_chat_message> messages;
  for (std::size_t i = 0; i < turns.size(); ++i)
    messages.push_back({name_of(turns[i].role), markers[i].c_str()});
  const bool anew = start == AnswerStart::anew;
  if (!anew) messages.push_back({name_of(Role::assistant), markers.back().c_str()});
  std::string text(1024, '\0');
  const auto write = [&] {
    return llama_chat_apply_template(template_.c_str(), messages.data(), messages.size(), anew, text.data(),
                                     static_cast<std::int32_t>(text.size()));
  };
  auto length = write();
  if (length > 0 && static_cast<std::size_t>(length) > text.size()) {
    text.resize(static_cast<std::size_t>(length));
    length = write();
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  if (anew) return text;
  text.resize(std::min(text.find(markers.back()), text.size()));
  if (text.ends_with(lead_)) text.resize(text.size() - lead_.size());
  return text;
}

Result<std::vector<Stretch>> PromptMaker::lay_out(std::span<const Turn> turns, AnswerStart start) const {
  const auto *vocabulary = llama_model_get_vocab(pair_->impl().text.get());
  const auto text = render(turns, start);
  std::vector<Stretch> prompt;
  // Some templates write the start token themselves; it must not stand twice.
  const auto first = llama_vocab_bos(vocabulary);
  const auto append_control = [&](std::string_view written) {
    const auto tokens = tokenize(vocabulary, std::string(written), true);
    const bool begins = prompt.empty() && llama_vocab_get_add_bos(vocabulary);
    if (begins && (tokens.empty() || tokens.front() != first)) append_text(prompt, {first});
    append_text(prompt, tokens);
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const auto cut = text.find(marker(i), at);
    if (cut == std::string::npos)
      return Status{StatusKind::unsupported,
                    "the model's chat template has no place for message " + std::to_string(i + 1) +
                        ", which is the " + name_of(turns[i].role) +
                        "'s. Let user and assistant take turns, with the system's message first, or none."};
    append_control(std::string_view(text).substr(at, cut - at));
    append_content(prompt, turns[i].content);
    at = cut + marker(i).size();
  }
  append_control(std::string_view(text).substr(at));
  return prompt;
}

TextTokens PromptMaker::words(const std::string &text) const {
  const auto *vocabulary = llama_model_get_vocab(pair_->impl().text.get());
  const auto whole = text.size() - unfinished_utf8(text).value_or(0);
  auto tokens = tokenize(vocabulary, text.substr(0, whole), false);
  for (const char byte : std::string_view(text).substr(whole)) append_byte(tokens, vocabulary, byte);
  return tokens;
}

}  // namespace saccade
