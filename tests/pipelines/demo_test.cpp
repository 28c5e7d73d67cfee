// saccade-demo as a program: what it prints, what it counts, and how it fails.
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gtest/gtest.h>
#include <json-glib/json-glib.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct ObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};

struct Ran {
  int status = -1;
  std::string out;
  std::string err;
};

Ran run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SACCADE_DEMO);
  std::vector<const gchar *> argv;
  for (const auto &argument : arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  GError *error = nullptr;
  const std::unique_ptr<GSubprocess, ObjectUnref> process(g_subprocess_newv(
      argv.data(),
      static_cast<GSubprocessFlags>(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE),
      &error));
  if (!process) throw std::runtime_error(error->message);
  gchar *out = nullptr;
  gchar *err = nullptr;
  if (!g_subprocess_communicate_utf8(process.get(), nullptr, nullptr, &out, &err, &error))
    throw std::runtime_error(error->message);
  Ran ran{g_subprocess_get_if_exited(process.get()) ? g_subprocess_get_exit_status(process.get()) : -1,
          out ? out : "", err ? err : ""};
  g_free(out);
  g_free(err);
  return ran;
}

const std::string kClip = SACCADE_CLIPS "/street60.avi";
const std::string kTimeline = SACCADE_CLIPS "/street60.json";

// The last line of the demo's JSON.
class Summary {
 public:
  explicit Summary(const std::string &output) : parser_(json_parser_new()) {
    std::istringstream lines(output);
    std::string line;
    std::string last;
    while (std::getline(lines, line)) {
      last = line;
      ++count_;
    }
    EXPECT_TRUE(json_parser_load_from_data(parser_.get(), last.c_str(), -1, nullptr)) << last;
    root_ = json_node_get_object(json_parser_get_root(parser_.get()));
  }

  double number(const char *name) const { return json_object_get_double_member(root_, name); }
  double share(const char *name) const {
    auto *pair = json_object_get_object_member(root_, name);
    return json_object_get_double_member(pair, "right") / json_object_get_double_member(pair, "all");
  }
  int lines() const { return count_; }

 private:
  std::unique_ptr<JsonParser, ObjectUnref> parser_;
  JsonObject *root_ = nullptr;
  int count_ = 0;
};

// If it fails, the model, the gate or the demo no longer see the street: most of what a newcomer reads is
// wrong.
TEST(Demo, AnswersMostOfTheRenderedClipsQuestionsRight) {
  const auto ran = run({"--json", "--clip", kClip, "--timeline", kTimeline});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Summary summary(ran.out);
  EXPECT_EQ(summary.number("frames-seen"), 600);
  EXPECT_NEAR(summary.number("stream-seconds"), 60, 0.2);
  EXPECT_LT(summary.number("frames-kept"), 300);
  EXPECT_EQ(summary.number("answers"), summary.lines() - 1);
  EXPECT_GE(summary.share("right-at-answers"), 0.8);
  EXPECT_GE(summary.share("right-over-time"), 0.8);
  EXPECT_GT(summary.number("cpu-seconds-per-stream-minute"), 0);
  EXPECT_GT(summary.number("peak-memory-bytes"), 1e6);
}

// If it fails, two runs of one file differ, and no figure of the demo can be compared with another.
TEST(Demo, SaysTheSameTwice) {
  const auto answers = [] {
    const auto ran = run({"--clip", kClip, "--prompt", "Is there a car?", "--max-rate", "1"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    std::istringstream lines(ran.out);
    std::string line;
    std::string texts;
    while (std::getline(lines, line)) {
      if (line.find(" edge ") == std::string::npos) continue;
      texts +=
          line.substr(0, line.find('?')) + (line.find("yes") != std::string::npos ? " yes" : " no") + "\n";
    }
    return texts;
  };
  const auto once = answers();
  EXPECT_NE(once.find("yes"), std::string::npos);
  EXPECT_NE(once.find("no"), std::string::npos);
  EXPECT_EQ(answers(), once);
}

struct Mistake {
  const char *name;
  std::vector<std::string> arguments;
  int status;
  const char *said;
};

class Mistakes : public testing::TestWithParam<Mistake> {};

// If it fails, a slip of the keyboard ends in a riddle and not in a sentence.
TEST_P(Mistakes, EndInASentence) {
  const auto ran = run(GetParam().arguments);
  EXPECT_EQ(ran.status, GetParam().status) << ran.err;
  EXPECT_NE(ran.err.find(GetParam().said), std::string::npos) << ran.err;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Mistakes,
    testing::Values(
        Mistake{"NoClip", {"--prompt", "x"}, 2, "--clip"},
        Mistake{"NoQuestion", {"--clip", kClip}, 2, "--prompt"},
        Mistake{"UnknownOption", {"--clop"}, 2, "--clop"},
        Mistake{"ModelWithoutProjector", {"--clip", kClip, "--prompt", "x", "--model", "a"}, 2, "--mmproj"},
        Mistake{"MissingClip", {"--clip", "/nowhere.avi", "--prompt", "x"}, 1, "/nowhere.avi"},
        Mistake{"MissingTimeline", {"--clip", kClip, "--timeline", "/nowhere.json"}, 1, "/nowhere.json"},
        Mistake{"ForeignTimeline", {"--clip", kClip, "--timeline", kClip}, 1, "street60.avi"},
        Mistake{"MissingModels",
                {"--models", "/nowhere", "--clip", kClip, "--prompt", "x"},
                1,
                "/nowhere/saccade-edge-text.gguf"},
        Mistake{"ForeignModel",
                {"--model", kClip, "--mmproj", kClip, "--clip", kClip, "--prompt", "x"},
                1,
                "street60.avi"},
        Mistake{"ForeignClip", {"--clip", kTimeline, "--prompt", "x"}, 1, "saccade-demo: "}),
    [](const auto &tested) { return std::string(tested.param.name); });

}  // namespace
