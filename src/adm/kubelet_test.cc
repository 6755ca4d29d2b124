#include "adm/kubelet.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "adm/flags.h"
#include "guard/files.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/test_dir.h"

namespace adm {
namespace {

constexpr base::Duration kLong{10'000};

Host sample() {
  Flags f;
  f.name = "etcd-1";
  f.version = "v3.5.12";
  f.bind_address = "10.0.0.5";
  f.init_system = kKubelet;
  f.install_dir = "/opt/bin";
  Host host;
  configure(host, f);
  return host;
}

TEST(StaticPod, IsWrittenOut) {
  const std::string path = "tests/golden/adm/etcd.manifest";
  const auto text = static_pod_text(sample(), {"/var/lib/etcdadm"}, "s1");
  ASSERT_TRUE(text) << text.error().text();
  if (std::getenv("EO_REWRITE") != nullptr) {
    ASSERT_TRUE(posix::make_dirs("tests/golden/adm", 0755));
    ASSERT_TRUE(posix::write_atomic(path, *text, 0644));
  }
  EXPECT_EQ(*text, posix::read_file(path, 1 << 20).value_or("")) << path;
}

TEST(StaticPod, AsksAnOldEtcdWhatItCanAnswer) {
  Host host = sample();
  host.version = "3.4.23";
  host.bind_address = "127.0.0.3";
  const auto text = *static_pod_text(host, {"/var/lib/etcdadm"}, "s1");
  EXPECT_EQ(text.find("/livez"), std::string::npos);
  EXPECT_NE(text.find(R"(path: "/health?exclude=NOSPACE")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(host: "127.0.0.3")"), std::string::npos) << text;
}

class KubeletTest : public ::testing::Test {
 protected:
  KubeletTest() {
    host_.manifest_dir = dir_.path("manifests");
    EXPECT_TRUE(posix::make_dirs(host_.manifest_dir));
    EXPECT_TRUE(posix::make_dirs(places_.member()));
  }
  std::string manifest() const {
    return posix::read_file(host_.manifest_dir + "/etcd.manifest", 1 << 20).value_or("");
  }
  std::string kept() const {
    return posix::read_file(places_.state_dir + "/etcd.manifest", 1 << 20).value_or("");
  }
  base::Status start() { return kubelet_service(host_, places_)->start(kLong, {}); }
  base::Status stop(base::Duration deadline = kLong, base::Duration settle = {}) {
    return kubelet_service(host_, places_, settle)->stop(deadline, {});
  }

  posix::TestDir dir_;
  Host host_ = sample();
  Places places_{dir_.path("state")};
};

TEST_F(KubeletTest, StartsByTheFileAndStopsByMovingItAway) {
  ASSERT_TRUE(start());
  const auto first = manifest();
  EXPECT_NE(first.find(R"(image: "quay.io/coreos/etcd:v3.5.12")"), std::string::npos) << first;
  ASSERT_TRUE(start());
  EXPECT_EQ(manifest(), first) << "started again, a pod that runs would end";
  ASSERT_TRUE(stop());
  EXPECT_EQ(manifest(), "");
  EXPECT_EQ(kept(), first);
  ASSERT_TRUE(start());
  EXPECT_NE(manifest(), first) << "the kubelet would take it for the pod that it ends";
  ASSERT_TRUE(kubelet_service(host_, places_)->forget());
  EXPECT_EQ(manifest() + kept(), "");
}

TEST_F(KubeletTest, AnotherVersionIsAnotherPod) {
  ASSERT_TRUE(start());
  host_.version = "3.5.33";
  ASSERT_TRUE(start());
  EXPECT_NE(manifest().find(R"(etcd:v3.5.33")"), std::string::npos);
}

// Until the lock is free that the guard and etcd hold, the pod runs.
TEST_F(KubeletTest, IsStoppedOnlyWhenNothingRuns) {
  ASSERT_TRUE(start());
  const auto held = posix::FileLock::try_lock(places_.member_files().lock);
  ASSERT_TRUE(held);
  const auto stopped = stop(-std::chrono::hours(1));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, base::Code::kDeadlineExceeded);
  EXPECT_NE(stopped.error().message.find("the pod runs on"), std::string::npos);
  EXPECT_EQ(manifest(), "");
}

// The kubelet starts what ends, also while its file goes.
TEST_F(KubeletTest, WhoEndedByItselfMayBeStartedOnceMore) {
  constexpr base::Duration kDay = std::chrono::hours(24);
  for (const auto klass : {guard::Class::kRemoved, guard::Class::kStopped}) {
    ASSERT_TRUE(start());
    guard::Verdict verdict;
    verdict.klass = klass;
    ASSERT_TRUE(posix::write_atomic(places_.member_files().verdict, guard::encode(verdict)));
    EXPECT_EQ(stop(-kDay, kDay).has_value(), klass == guard::Class::kStopped);
    EXPECT_EQ(manifest(), "");
  }
}

TEST_F(KubeletTest, WhatIsNotOursStays) {
  const std::string file = host_.manifest_dir + "/etcd.manifest";
  ASSERT_TRUE(posix::write_new(file, "apiVersion: v1\nkind: Pod\n"));
  for (const auto& done :
       {start(), stop(), kubelet_service(host_, places_)->forget(), check_manifests(host_)}) {
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("is not of etcdadm"), std::string::npos);
  }
  EXPECT_EQ(manifest(), "apiVersion: v1\nkind: Pod\n");
}

TEST_F(KubeletTest, WithoutAFolderThereIsNoKubelet) {
  ASSERT_TRUE(posix::remove_tree(host_.manifest_dir));
  EXPECT_NE(check_manifests(host_).error().message.find("--kubelet-pod-manifest-path"),
            std::string::npos);
  EXPECT_FALSE(start());
  EXPECT_TRUE(stop()) << "nothing is left to be stopped";
}

}  // namespace
}  // namespace adm
