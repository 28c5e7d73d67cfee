// Figures in Prometheus' text format 0.0.4, for a file that node_exporter's textfile collector reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/statistics.h"
#include "base/status.h"

namespace saccade {

// Collects metrics of one stream. Names as Prometheus has them: [a-z_]+, a unit at the end.
class PrometheusText {
 public:
  // labels: such as `stream="door"`, without braces; see prometheus_label().
  explicit PrometheusText(std::string labels) : labels_(std::move(labels)) {}

  void counter(std::string_view name, std::string_view help, std::uint64_t value);
  // One metric by a label: pairs of a label such as `status="200"` and its value.
  void counters(std::string_view name, std::string_view help,
                std::span<const std::pair<std::string, std::uint64_t>> by_label);
  void gauge(std::string_view name, std::string_view help, double value);
  void histogram(std::string_view name, std::string_view help, const DurationStatistics &times);

  const std::string &text() const { return text_; }

 private:
  void declare(std::string_view name, std::string_view help, std::string_view type);
  void sample(std::string_view name, std::string_view more_labels, const std::string &value);

  std::string labels_;
  std::string text_;
};

// name="value", with everything in the value escaped that has to be.
std::string prometheus_label(std::string_view name, std::string_view value);

// Replaces the file as a whole, so that nobody reads half of it. Errors: unavailable (it cannot be written).
Status replace_file(const std::string &path, std::string_view contents);

}  // namespace saccade
