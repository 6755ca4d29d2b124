// The second example is deleted and declared again while some of its volumes are away: what is left
// of it counts, and never the bucket. The shipped programs, real etcd, a real S3 server.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "e2e/host/bucket_fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class VolumesTest : public BucketTest {
 protected:
  VolumesTest() : BucketTest("cloud-etcd") {}

  // It was backed up once, with "greeting", and deleted; "later" is in no backup.
  void deleted() {
    sandbox_.write("secret.yaml", bucket_.secret());
    sandbox_.start_operator();
    apply();
    ASSERT_TRUE(eventually(150s, [&] { return settled(); })) << say();
    ASSERT_NO_FATAL_FAILURE(back_up(put("greeting", "hello")));
    ASSERT_GT(put("later", "not in any backup"), 0);
    before_ = ids();
    looks_ = looks();
    ASSERT_NO_FATAL_FAILURE(remove_cluster());
  }
  void apply() const {
    std::ifstream in(fs::path(EO_SOURCE_DIR) / "examples" / "cloud-etcd.yaml");
    sandbox_.write("cloud-etcd.yaml", {std::istreambuf_iterator<char>(in), {}});
  }
  [[nodiscard]] bool settled() const { return sandbox_.settled(name_, 3, "3.5.12"); }
  [[nodiscard]] std::set<std::string> ids() const {
    std::set<std::string> out;
    for (const auto& member : sandbox_.members(name_)) out.insert(member.id);
    return out;
  }
  [[nodiscard]] size_t members_left() const {
    const auto now = ids();
    return static_cast<size_t>(
        std::ranges::count_if(before_, [&](const auto& id) { return now.contains(id); }));
  }
  // How often events name the store as what is looked into.
  [[nodiscard]] size_t looks() const {
    const auto text = sandbox_.cli({"events", name_}).out;
    size_t out = 0;
    for (size_t at = 0; (at = text.find("RestoreLookup", at)) != std::string::npos; ++at) ++out;
    return out;
  }
  [[nodiscard]] fs::path volume(int ordinal) const {
    const auto member = name_ + "-" + std::to_string(ordinal);
    return sandbox_.data_dir(name_, member).parent_path();
  }
  [[nodiscard]] fs::path away(int ordinal) const {
    return sandbox_.root() / ("away-" + std::to_string(ordinal));
  }
  void take_away(int ordinal) const { fs::rename(volume(ordinal), away(ordinal)); }
  void bring_back(int ordinal) const {
    fs::remove_all(volume(ordinal));
    fs::rename(away(ordinal), volume(ordinal));
  }

  S3Bucket bucket_;
  std::set<std::string> before_;
  size_t looks_ = 0;
};

TEST_F(VolumesTest, FewerThanAQuorumAreAskedAboutAndOneThatComesBackIsEnough) {
  if (!bucket_.missing().empty()) GTEST_SKIP() << bucket_.missing();
  ASSERT_NO_FATAL_FAILURE(deleted());
  take_away(1);
  take_away(2);
  apply();
  ASSERT_TRUE(eventually(240s, [&] { return is("NeedsApproval", "True"); })) << say();
  EXPECT_TRUE(says("NeedsApproval", "cloud-etcd-0: has its data")) << say();
  EXPECT_TRUE(always(8000ms, [&] {
    return is("NeedsApproval", "True") && is("Available", "False");
  })) << say();

  // Nobody has answered: with a quorum the question is gone, and the same cluster goes on.
  bring_back(1);
  ASSERT_TRUE(eventually(180s, [&] { return is("Available", "True"); })) << say();
  EXPECT_TRUE(eventually(60s, [&] { return is("NeedsApproval", "False"); })) << say();
  EXPECT_EQ(get("later"), "not in any backup");
  bring_back(2);
  ASSERT_TRUE(eventually(240s, [&] { return settled(); })) << say();
  EXPECT_GE(members_left(), 2U) << say();
  EXPECT_EQ(looks(), looks_);
}

TEST_F(VolumesTest, AQuorumGoesOnAndTheBucketIsNotRead) {
  if (!bucket_.missing().empty()) GTEST_SKIP() << bucket_.missing();
  ASSERT_NO_FATAL_FAILURE(deleted());
  bucket_.stop();
  take_away(1);
  apply();
  ASSERT_TRUE(eventually(240s, [&] { return is("Available", "True"); })) << say();
  EXPECT_EQ(get("later"), "not in any backup");
  EXPECT_EQ(get("greeting"), "hello");
  EXPECT_GE(members_left(), 2U) << say();
  EXPECT_EQ(looks(), looks_);
  // What is said of the one that is away is neither hidden nor taken for a loss of the cluster.
  EXPECT_TRUE(is("NeedsApproval", "False")) << say();
}

}  // namespace
}  // namespace e2e
