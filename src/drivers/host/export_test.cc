#include "drivers/host/export.h"

#include <gtest/gtest.h>

#include "drivers/host/wal_testing.h"
#include "etcd/refusing_api.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/test_dir.h"

namespace host {
namespace {

constexpr LogOwner kCopy{{1}, {2}};  // of testing::Log

// An etcd that leads and gives a snapshot of nothing.
class FakeApi final : public etcd::RefusingApi {
 public:
  explicit FakeApi(const LogOwner& is, int* snapshots = nullptr) : is_(is), snapshots_(snapshots) {}

  base::Result<etcd::MemberStatus> status(base::Duration) override {
    etcd::MemberStatus out;
    out.id = out.leader = is_.member;
    out.cluster_id = is_.cluster;
    return out;
  }
  base::Status snapshot(const std::function<bool(std::string_view)>&, base::Duration) override {
    if (snapshots_ != nullptr) ++*snapshots_;
    return {};
  }

 private:
  const LogOwner is_;
  int* const snapshots_;
};

class NoLogger final : public base::Logger {
 public:
  void write(base::Level, std::string_view, const std::vector<base::Field>&) override {}
};

TEST(Export, OnlyTheEtcdOfTheCopyCounts) {
  std::atomic<bool> ended = false;
  FakeApi own(kCopy), other_member({{3}, {2}}), other_cluster({{1}, {4}});
  EXPECT_TRUE(comes_up(own, kCopy, 0, ended, {}));
  for (auto* other : {&other_member, &other_cluster}) {
    const auto up = comes_up(*other, kCopy, 0, ended, {});
    ASSERT_FALSE(up);
    EXPECT_EQ(up.error().code, base::Code::kUnavailable);
    EXPECT_NE(up.error().message.find("another etcd"), std::string::npos) << up.error().message;
  }
  ended = true;
  EXPECT_FALSE(comes_up(own, kCopy, 0, ended, {}));
}

// It took the port between the look for a free one and the start.
TEST(Export, ASnapshotIsNeverOfAnotherEtcd) {
  const posix::TestDir dir;
  const std::string etcd = dir.path("etcd");
  ASSERT_TRUE(posix::write_atomic(etcd, "#!/bin/sh\nexec sleep 60\n", 0700));
  testing::Log log;
  log.begin();
  log.entry(1, 5);
  log.state(1, 1, 5);
  ASSERT_TRUE(posix::make_dirs(dir.path("data/member/wal")));
  ASSERT_TRUE(posix::write_atomic(dir.path("data/member/wal/0.wal"), log.bytes));
  int snapshots = 0;
  NoLogger logger;
  const auto done =
      export_data({dir.path("data"), dir.path("copy"), dir.path("snapshot.db"), etcd, "c-0"},
                  [&](const std::string&, const etcd::Tls&) {
                    return std::make_unique<FakeApi>(LogOwner{{3}, {4}}, &snapshots);
                  },
                  logger, {});
  EXPECT_FALSE(done);
  EXPECT_EQ(snapshots, 0);
  EXPECT_EQ(posix::exists(dir.path("snapshot.db")), base::Fact<bool>(false));
}

}  // namespace
}  // namespace host
