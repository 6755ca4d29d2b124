#include <fstream>
#include <sstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

std::string example(const std::string& file) {
  std::ifstream in(std::string(EO_SOURCE_DIR) + "/examples/" + file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class CreateTest : public VersionedTest {};

TEST_P(CreateTest, ThreeVotersOverTlsServeAndKeepEveryWrite) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  expect_only_tls(sandbox_, "c");
  ASSERT_TRUE(eventually(120s, [&] { return writer_->count() > 400; }));
  finish();
}

INSTANTIATE_TEST_SUITE_P(Versions, CreateTest, testing::ValuesIn(versions()), version_name);

TEST(Seeds, ManifestAVerbatimGivesThreeHealthyVoters) {
  Sandbox sandbox;
  sandbox.start_operator();
  sandbox.write("production-etcd.yaml", example("production-etcd.yaml"));
  ASSERT_TRUE(eventually(90s, [&] { return sandbox.settled("production-etcd", 3, "3.5.12"); }))
      << sandbox.cli({"status"}).out;
  expect_only_tls(sandbox, "production-etcd");
  Writer writer([&] { return sandbox.access("production-etcd"); });
  ASSERT_TRUE(eventually(120s, [&] { return writer.count() > 400; }));
  expect_nothing_lost(sandbox, "production-etcd", writer.stop());
  // What this version does not act on is said, not ignored.
  EXPECT_TRUE(eventually(
      60s, [&] { return sandbox.condition("production-etcd", "FieldsNotActedOn") == "True"; }));
  EXPECT_NE(sandbox.message("production-etcd", "FieldsNotActedOn").find("spec.storage"),
            std::string::npos);
}

TEST(Seeds, ManifestBWithoutRestoreGivesThreeHealthyVoters) {
  std::string text = example("cloud-etcd.yaml");
  const size_t at = text.find("  restore:");
  ASSERT_NE(at, std::string::npos);
  text.resize(at);
  Sandbox sandbox;
  sandbox.start_operator();
  sandbox.write("cloud-etcd.yaml", text);
  ASSERT_TRUE(eventually(90s, [&] { return sandbox.settled("cloud-etcd", 3, "3.5.12"); }))
      << sandbox.cli({"status"}).out;
  expect_only_tls(sandbox, "cloud-etcd");
}

TEST(Seeds, ManifestBVerbatimNeverStartsEmptyWhileTheBucketCannotBeRead) {
  Sandbox sandbox;
  sandbox.start_operator();
  sandbox.write("cloud-etcd.yaml", example("cloud-etcd.yaml"));
  ASSERT_TRUE(eventually(60s, [&] {
    return sandbox.cli({"status", "cloud-etcd"}).out.find("my-etcd-backups") != std::string::npos ||
           sandbox.cli({"status", "cloud-etcd", "-o", "json"}).out.find("RestoreNotPossible") !=
               std::string::npos;
  })) << sandbox.cli({"status", "cloud-etcd"}).out;
  EXPECT_TRUE(always(5000ms, [&] { return sandbox.members("cloud-etcd").empty(); }));
  EXPECT_TRUE(sandbox.all_members().empty());
}

}  // namespace
}  // namespace e2e
