// What the log of uploads says, and that it neither grows without end nor ends with the disk's room.
#include "offload/upload/audit_log.h"

#include <json-glib/json-glib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <thread>

#include "base/glib_pointer.h"
#include "spool_segments.h"

namespace saccade {
namespace {

AuditRecord record_of(std::uint64_t id) {
  AuditRecord record;
  record.time = WallTime(std::chrono::milliseconds(1795358405250));
  record.endpoint = "https://cloud.example:8443/v1/chat/completions?api_key=sk-secret";
  record.owner = "door \"1\"\n\xFF";
  record.id = id;
  record.question = "Who is there?";
  record.outcome = "answered";
  record.pictures = {{512, 384, 31022, sha256_of({}), true, false, 2},
                     {640, 480, 1000, sha256_of({}), false, true, std::nullopt}};
  return record;
}

std::vector<std::string> lines_of(const std::filesystem::path &file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::uint64_t number_in(const std::string &line, const char *name) {
  const ObjectPointer<JsonParser> parser(json_parser_new());
  if (!json_parser_load_from_data(parser.get(), line.c_str(), -1, nullptr)) return 0;
  JsonObject *object = json_node_get_object(json_parser_get_root(parser.get()));
  return static_cast<std::uint64_t>(json_object_get_int_member_with_default(object, name, 0));
}

// If this fails, whoever reads the log learns too little of what left, or a secret.
TEST(AuditLine, SaysWhatLeftAndNothingElse) {
  const auto line = audit_line(record_of(7), false);
  const std::string nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(
      line,
      R"({"time":"2026-11-22T14:40:05.250Z","endpoint":"https://cloud.example:8443/v1/chat/completions",)"
      R"("owner":"door \"1\"\n)"
      "\xEF\xBF\xBD"
      R"(","id":7,"pictures":[{"width":512,"height":384,"bytes":31022,"sha256":")" +
          nothing + R"(","scaled":true,"cropped":false,"faces_blurred":2},)" +
          R"({"width":640,"height":480,"bytes":1000,"sha256":")" + nothing +
          R"(","scaled":false,"cropped":true,"faces_blurred":null}],"bytes":32022,"outcome":"answered"})" +
          "\n");
  EXPECT_EQ(line.find("secret"), std::string::npos);
  EXPECT_NE(audit_line(record_of(7), true).find(R"("question":"Who is there?")"), std::string::npos);
}

// If this fails, nobody can find out that a sound has left, or which.
TEST(AuditLine, SaysThatASoundLeft) {
  auto record = record_of(7);
  EXPECT_EQ(audit_line(record, false).find("sound"), std::string::npos);
  record.sound = AuditSound{1044, sha256_of({})};
  const auto line = audit_line(record, false);
  EXPECT_NE(line.find(R"("sound":{"bytes":1044,"sha256":")" + hex_of(sha256_of({})) + R"("},"bytes":33066,)"),
            std::string::npos)
      << line;
}

// If this fails, lines are lost at a restart, or others may read who was asked about.
TEST(AuditLog, AppendsPrivately) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "audit.jsonl";
  for (std::uint64_t id = 1; id <= 2; ++id) {
    auto log = AuditLog::open({.path = path});
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_TRUE(log.value().append(record_of(id)).ok());
  }
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(number_in(lines[1], "id"), 2U);
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600U);
}

// If this fails, the log fills the disk, or a rotation loses a line.
TEST(AuditLog, IsBoundedByRotation) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "audit.jsonl";
  const auto before = path.string() + ".1";
  auto log = AuditLog::open({.path = path, .max_bytes = 5000});
  ASSERT_TRUE(log.ok());
  for (std::uint64_t id = 1; id <= 200; ++id) {
    ASSERT_TRUE(log.value().append(record_of(id)).ok());
    ASSERT_LE(std::filesystem::file_size(path), 5000U);
  }
  auto lines = lines_of(before);
  const auto newer = lines_of(path);
  lines.insert(lines.end(), newer.begin(), newer.end());
  ASSERT_GT(lines.size(), 10U);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_EQ(number_in(lines[i], "id"), 200 - lines.size() + 1 + i) << "the latest, without a gap";
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600U);
}

// If this fails, a full disk is told of with every picture, or leaves half a line, or its gap is kept quiet.
// The disk is full because files of this process may not grow for a while.
TEST(AuditLog, AFullDiskIsToldOnceAndItsGapStandsInTheLog) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "audit.jsonl";
  auto log = AuditLog::open({.path = path});
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(log.value().append(record_of(1)).ok());
  const auto size = std::filesystem::file_size(path);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{size + 100, usual.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const auto first = log.value().append(record_of(2));
  const auto second = log.value().append(record_of(3));
  const auto size_when_full = std::filesystem::file_size(path);
  ::setrlimit(RLIMIT_FSIZE, &usual);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(first.kind(), StatusKind::exhausted);
  EXPECT_NE(first.message().find(path.string()), std::string::npos);
  EXPECT_TRUE(second.ok()) << "told already";
  EXPECT_EQ(size_when_full, size);
  EXPECT_TRUE(log.value().append(record_of(4)).ok());
  EXPECT_TRUE(log.value().append(record_of(5)).ok());
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(number_in(lines[1], "id"), 4U);
  EXPECT_EQ(number_in(lines[1], "lines_lost"), 2U);
  EXPECT_EQ(lines[2].find("lines_lost"), std::string::npos);
}

// If this fails, the line of a killed process swallows the next one.
TEST(AuditLog, AHalfLineStaysByItself) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "audit.jsonl";
  { std::ofstream(path) << R"({"time":"20)"; }
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  auto log = AuditLog::open({.path = path});
  ASSERT_TRUE(log.ok()) << log.status().message();
  EXPECT_TRUE(log.value().append(record_of(1)).ok());
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(number_in(lines[1], "id"), 1U);
}

// If this fails, a log that cannot be kept is found out about with the first upload.
TEST(AuditLog, RefusesWhatCannotBeALog) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "audit.jsonl").string();
  EXPECT_EQ(AuditLog::open({.path = path, .max_bytes = 100}).status().kind(), StatusKind::invalid_argument);
  EXPECT_EQ(AuditLog::open({.path = folder.path() / "no" / "where"}).status().kind(),
            StatusKind::unavailable);
  EXPECT_EQ(AuditLog::open({.path = folder.path()}).status().kind(), StatusKind::unavailable);
  EXPECT_EQ(AuditLog::open({.path = "/dev/null"}).status().kind(), StatusKind::invalid_argument);
  { std::ofstream(path) << ""; }
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const auto readable = AuditLog::open({.path = path});
  EXPECT_EQ(readable.status().kind(), StatusKind::invalid_argument);
  EXPECT_NE(readable.status().message().find("chmod 600"), std::string::npos);
}

// If this fails, lines of two threads stand in each other.
TEST(AuditLog, ServesSeveralThreads) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "audit.jsonl";
  auto log = AuditLog::open({.path = path});
  ASSERT_TRUE(log.ok());
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 1; i <= 50; ++i) EXPECT_TRUE(log.value().append(record_of(t * 50 + i)).ok());
      });
    }
  }
  std::vector<std::uint64_t> ids;
  for (const auto &line : lines_of(path)) ids.push_back(number_in(line, "id"));
  std::sort(ids.begin(), ids.end());
  ASSERT_EQ(ids.size(), 200U);
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(ids[i], i + 1);
}

}  // namespace
}  // namespace saccade
