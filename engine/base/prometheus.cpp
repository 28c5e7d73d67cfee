#include "base/prometheus.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace saccade {
namespace {

// As short as it can be without losing anything, whatever the locale says about commas.
std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

}  // namespace

void PrometheusText::declare(std::string_view name, std::string_view help, std::string_view type) {
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void PrometheusText::sample(std::string_view name, std::string_view more_labels, const std::string &value) {
  text_.append(name).append("{").append(labels_);
  if (!labels_.empty() && !more_labels.empty()) text_ += ',';
  text_.append(more_labels).append("} ").append(value).append("\n");
}

void PrometheusText::counter(std::string_view name, std::string_view help, std::uint64_t value) {
  declare(name, help, "counter");
  sample(name, {}, std::to_string(value));
}

void PrometheusText::counters(std::string_view name, std::string_view help,
                              std::span<const std::pair<std::string, std::uint64_t>> by_label) {
  declare(name, help, "counter");
  for (const auto &[label, value] : by_label) sample(name, label, std::to_string(value));
}

void PrometheusText::gauge(std::string_view name, std::string_view help, double value) {
  declare(name, help, "gauge");
  sample(name, {}, number(value));
}

void PrometheusText::histogram(std::string_view name, std::string_view help,
                               const DurationStatistics &times) {
  declare(name, help, "histogram");
  const auto bucket = std::string(name) + "_bucket";
  for (std::size_t i = 0; i < kHistogramBounds.size(); ++i)
    sample(bucket, "le=\"" + number(kHistogramBounds[i]) + "\"", std::to_string(times.histogram()[i]));
  sample(bucket, "le=\"+Inf\"", std::to_string(times.count()));
  sample(std::string(name) + "_sum", {}, number(to_seconds(times.sum())));
  sample(std::string(name) + "_count", {}, std::to_string(times.count()));
}

std::string prometheus_label(std::string_view name, std::string_view value) {
  std::string label(name);
  label += "=\"";
  for (const char letter : value) {
    if (letter == '\\' || letter == '"') label += '\\';
    if (letter == '\n')
      label += "\\n";
    else
      label += letter;
  }
  return label + "\"";
}

Status replace_file(const std::string &path, std::string_view contents) {
  const auto beside = path + ".new";
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    file.flush();
    if (!file)
      return {StatusKind::unavailable, "cannot write \"" + beside + "\": " + std::strerror(errno) +
                                           ". Is the folder there, and is there room?"};
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (error) return {StatusKind::unavailable, "cannot replace \"" + path + "\": " + error.message()};
  return {};
}

}  // namespace saccade
