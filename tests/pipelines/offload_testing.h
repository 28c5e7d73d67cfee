// What the tests of localmllm ! offload ! cloudoffloadsink share: the pipeline, what must hold of every
// question however the cloud fares, and a look into the log.
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/pipeline_testing.h"

namespace saccade::gst {

inline constexpr const char *kKey = "sk-of-the-test-which-nobody-may-see";

// A file with the key, this process's own: another test may be writing and reading its own at the same time.
class KeyFile {
 public:
  KeyFile() { std::ofstream(path_) << kKey << '\n'; }
  ~KeyFile() { std::remove(path_.c_str()); }
  KeyFile(const KeyFile &) = delete;
  KeyFile &operator=(const KeyFile &) = delete;

  const std::string &path() const { return path_; }

 private:
  const std::string path_ = testing::TempDir() + "saccade-offload-test-key-" + std::to_string(::getpid());
};

inline const std::string &key_file() {
  static const KeyFile file;
  return file.path();
}

// Every picture is asked about here and there. The end waits for who is slow; nothing is judged by it.
inline std::string edge_and_cloud(const std::string &source, const std::string &url,
                                  const std::string &cloud = "") {
  return source +
         " ! localmllm name=model prompt=\"How many people are there?\" route-policy=cloud "
         "drain-timeout=60000000000" +
         model_files() +
         " ! text/x-raw ! fakesink name=text sync=false  model.offload ! cloudoffloadsink name=cloud "
         "drain-timeout=60 api-key-file=\"" +
         key_file() + "\" endpoint=" + url + " " + cloud;
}

inline std::size_t count_with(const std::vector<std::string> &texts, std::string_view words) {
  return static_cast<std::size_t>(std::count_if(texts.begin(), texts.end(), [&](const std::string &text) {
    return text.find(words) != std::string::npos;
  }));
}

// Localmllm's own word that no correction will come.
inline constexpr const char *kStands = "the local answer stands";

// After the end: each question was answered here, and what was sent was corrected or reported, once. Gives
// the number of corrections.
inline std::size_t expect_each_settled_once(const Pipeline &pipeline) {
  std::set<guint64> ids;
  std::set<guint64> drafts;
  std::set<guint64> corrected;
  for (const auto &answer : pipeline.answers) {
    EXPECT_TRUE(ids.insert(answer.id).second) << "answer " << answer.id << " was given twice";
    if (answer.source == "edge-draft") drafts.insert(answer.id);
    if (!answer.supersedes) continue;
    EXPECT_TRUE(drafts.contains(answer.supersedes)) << "a correction of nothing";
    EXPECT_TRUE(corrected.insert(answer.supersedes).second) << "draft " << answer.supersedes << ", twice";
  }
  const auto reported = count_with(pipeline.warnings, kStands);
  EXPECT_EQ(corrected.size() + reported, drafts.size());
  EXPECT_EQ(count_with(pipeline.warnings, "drain-timeout"), 0U);
  EXPECT_EQ(count_with(pipeline.warnings, kKey), 0U);

  const auto model = pipeline.find("model");
  EXPECT_EQ(statistic(model.get(), "offloaded"), drafts.size());
  EXPECT_EQ(statistic(model.get(), "corrected"), corrected.size());
  const auto sink = pipeline.find("cloud");
  EXPECT_EQ(statistic(sink.get(), "segments"), drafts.size());
  EXPECT_EQ(statistic(sink.get(), "answered"), corrected.size());
  EXPECT_EQ(statistic(sink.get(), "failed"), reported);
  return corrected.size();
}

// Reads all that GStreamer logs, at the level at which it says everything, and looks for the key. One at a
// time.
class LogWatch {
 public:
  LogWatch() : threshold_(gst_debug_get_default_threshold()) {
    lines_ = keys_ = 0;
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(&look_at, nullptr, nullptr);
    gst_debug_set_default_threshold(GST_LEVEL_LOG);
    gst_debug_set_active(TRUE);
  }
  ~LogWatch() {
    gst_debug_set_default_threshold(threshold_);
    gst_debug_remove_log_function(&look_at);
    gst_debug_add_log_function(gst_debug_log_default, nullptr, nullptr);
  }
  LogWatch(const LogWatch &) = delete;
  LogWatch &operator=(const LogWatch &) = delete;

  int lines() const { return lines_; }
  int lines_with_the_key() const { return keys_; }

 private:
  static void look_at(GstDebugCategory *, GstDebugLevel, const gchar *, const gchar *, gint, GObject *,
                      GstDebugMessage *message, gpointer) {
    const char *text = gst_debug_message_get(message);
    ++lines_;
    if (text && std::string_view(text).find(kKey) != std::string_view::npos) ++keys_;
  }

  const GstDebugLevel threshold_;
  // Not of an object's own: GStreamer's threads outlive pipelines, and one may be about to log.
  static inline std::atomic<int> lines_ = 0;
  static inline std::atomic<int> keys_ = 0;
};

}  // namespace saccade::gst
