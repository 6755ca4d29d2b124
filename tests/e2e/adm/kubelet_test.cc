// Three hosts whose members are static pods.
#include "kubelet.h"

#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

class KubeletTest : public Hosts {
 protected:
  void SetUp() override {
    Hosts::SetUp();
    for (const int n : {1, 2, 3}) {
      extra_[n] = {{"INIT_SYSTEM", "kubelet"},
                   {"KUBELET_POD_MANIFEST_PATH", manifests(n)},
                   {"VERSION", "3.5.12"}};
      ASSERT_TRUE(posix::make_dirs(manifests(n)));
      switch_on(n);
    }
  }
  void switch_on(int n) {
    kubelets_[n] = std::make_unique<Kubelet>(
        Kubelet::Folders{manifests(n), dir(n) + "/bin", dir_.path("pod" + std::to_string(n))});
  }
  std::string manifests(int n) { return dir_.path("manifests" + std::to_string(n)); }
  bool has_manifest(int n) { return !read(manifests(n) + "/etcd.manifest").empty(); }

  std::map<int, std::unique_ptr<Kubelet>> kubelets_;
};

TEST_F(KubeletTest, TheLifeOfACluster) {
  const std::string file = dir_.path("snapshot.db");
  ASSERT_NO_FATAL_FAILURE(build(3, "3.5.12"));
  ASSERT_TRUE(put(1, "colour", "blue"));
  must(1, {"snapshot", "save", file});
  EXPECT_TRUE(well(2)) << on(2, {"status"}).out;
  EXPECT_TRUE(sound(3)) << on(3, {"doctor"}).out;

  // A machine that is switched off and on has its member back.
  kubelets_[3].reset();
  EXPECT_EQ(on(1, {"status"}).exit_code, 1);
  switch_on(3);
  EXPECT_TRUE(well(1)) << on(1, {"status"}).out;
  ASSERT_TRUE(put(3, "colour", "green"));

  must(2, {"reset", "--yes"});
  EXPECT_FALSE(has_manifest(2));
  copy_authority(2);
  EXPECT_TRUE(eventually([&] { return versions(1).size() == 2; }));
  must(2, {"join", peer(1)});
  EXPECT_TRUE(has_manifest(2));
  EXPECT_EQ(get(2, "colour"), "green");

  // The data come by the image's own program.
  for (const int n : {1, 2, 3}) must(n, {"reset", "--keep-config", "--yes"});
  must(1, {"snapshot", "restore", file, "--data-dir", data(1)});
  must(2, {"join", peer(1)});
  EXPECT_EQ(get(2, "colour"), "blue");
  for (const int n : {2, 1}) must(n, {"reset", "--yes", "--delete-data"});
  EXPECT_FALSE(has_manifest(1) || has_manifest(2) || has_manifest(3));
}

TEST_F(KubeletTest, AHostIsUpgradedByAnotherImage) {
  ASSERT_NO_FATAL_FAILURE(build(3, "3.5.12"));
  for (const int n : {1, 2, 3}) extra_[n].erase("VERSION");
  must(2, {"upgrade", "apply", "3.5.33", "--yes"});
  EXPECT_NE(read(manifests(2) + "/etcd.manifest").find(R"(etcd:v3.5.33")"), std::string::npos);
  EXPECT_EQ(versions(1)["etcd-2"], "3.5.33");
  EXPECT_TRUE(well(1)) << on(1, {"status"}).out;
}

}  // namespace
}  // namespace e2e
