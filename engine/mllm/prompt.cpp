#include "mllm/prompt.h"

#include <algorithm>

#include "vision/llama_handles.h"

namespace saccade {
namespace {

// Stands for pictures and question while the template is applied, then marks where to cut. No
// template trims or escapes letters and digits.
constexpr const char *kUserContent = "SaccadeUserContentGoesHere0";

std::vector<std::int32_t> tokenize(const llama_vocab *vocabulary, const std::string &text,
                                   bool control_tokens) {
  if (text.empty()) return {};
  std::vector<std::int32_t> tokens(text.size() + 8);
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

// The text of a one-question conversation; empty when llama.cpp does not know the template.
std::string render_conversation(const std::string &chat_template, const std::string &system) {
  std::vector<llama_chat_message> messages;
  if (!system.empty()) messages.push_back({"system", system.c_str()});
  messages.push_back({"user", kUserContent});
  std::string text(1024 + 2 * system.size(), '\0');
  auto length = llama_chat_apply_template(chat_template.c_str(), messages.data(), messages.size(), true,
                                          text.data(), static_cast<std::int32_t>(text.size()));
  if (length < 0) return {};
  if (static_cast<std::size_t>(length) > text.size()) {
    text.resize(static_cast<std::size_t>(length));
    length = llama_chat_apply_template(chat_template.c_str(), messages.data(), messages.size(), true,
                                       text.data(), length);
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  return text;
}

}  // namespace

Result<PromptMaker> PromptMaker::create(std::shared_ptr<ModelPair> pair, const std::string &chat_template,
                                        const std::string &system) {
  const auto *model = pair->impl().text.get();
  const auto *vocabulary = llama_model_get_vocab(model);
  std::string wanted = chat_template;
  if (wanted.empty()) {
    const char *own = llama_model_chat_template(model, nullptr);
    // A model without a template is asked as a chat model of the most common kind.
    wanted = own ? own : "chatml";
  }
  const auto text = render_conversation(wanted, system);
  const auto cut = text.find(kUserContent);
  if (cut == std::string::npos)
    return Status{StatusKind::unsupported,
                  "\"" + pair->files().text +
                      "\": its chat template is none that llama.cpp knows without Jinja. "
                      "Set chat-template to one of: " +
                      known_templates()};

  PromptMaker maker;
  maker.opening_ = tokenize(vocabulary, text.substr(0, cut), true);
  maker.turn_ = tokenize(vocabulary, text.substr(cut + std::string(kUserContent).size()), true);
  // Some templates write the start token themselves; it must not stand twice.
  const auto start = llama_vocab_bos(vocabulary);
  if (llama_vocab_get_add_bos(vocabulary) && (maker.opening_.empty() || maker.opening_.front() != start))
    maker.opening_.insert(maker.opening_.begin(), start);
  maker.pair_ = std::move(pair);
  return maker;
}

Prompt PromptMaker::make(const std::string &question) const { return {opening_, words(question), turn_}; }

std::vector<std::int32_t> PromptMaker::words(const std::string &text) const {
  return tokenize(llama_model_get_vocab(pair_->impl().text.get()), text, false);
}

}  // namespace saccade
