#include "drivers/host/export.h"

#include <gtest/gtest.h>

#include "drivers/host/wal_testing.h"
#include "etcd/api.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/test_dir.h"

namespace host {
namespace {

constexpr LogOwner kCopy{{1}, {2}};  // of testing::Log

// An etcd that leads and gives a snapshot of nothing.
class FakeApi final : public etcd::EtcdApi {
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
  base::Result<std::int64_t> quorum_read(base::Duration) override { return no(); }
  base::Result<std::vector<etcd::Alarm>> alarms(base::Duration) override { return no(); }
  base::Result<etcd::Hash> hash_kv(std::int64_t, base::Duration) override { return no(); }
  base::Result<etcd::MemberList> member_list(bool, base::Duration) override { return no(); }
  base::Result<etcd::RangeResult> range(const std::string&, const std::string&, bool, std::int64_t,
                                        base::Duration) override {
    return no();
  }
  etcd::Change<std::int64_t> put(const std::string&, const std::string&, base::Duration) override {
    return never();
  }
  etcd::Change<etcd::Member> member_add(const std::string&, bool, base::Duration) override {
    return never();
  }
  etcd::Change<void> member_remove(base::MemberId, base::Duration) override { return never(); }
  etcd::Change<void> member_promote(base::MemberId, base::Duration) override { return never(); }
  etcd::Change<void> member_update(base::MemberId, const std::string&, base::Duration) override {
    return never();
  }
  etcd::Change<void> move_leader(base::MemberId, base::Duration) override { return never(); }
  etcd::Change<void> defragment(base::Duration) override { return never(); }
  etcd::Change<void> compact(std::int64_t, bool, base::Duration) override { return never(); }
  etcd::Change<void> disarm(base::MemberId, etcd::AlarmKind, base::Duration) override {
    return never();
  }
  etcd::Change<void> downgrade(etcd::DowngradeAction, const std::string&, base::Duration) override {
    return never();
  }

 private:
  static std::unexpected<base::Error> no() {
    return base::fail(base::Code::kUnavailable, "it is not asked this");
  }
  static std::unexpected<etcd::Failure> never() {
    return std::unexpected(etcd::Failure{etcd::Outcome::kRefused, no().error()});
  }
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
