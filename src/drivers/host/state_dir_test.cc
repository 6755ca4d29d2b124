// What a state directory looks like after a crash or a long life, and what is made of it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "drivers/host/layout.h"
#include "drivers/host/platform.h"
#include "drivers/host/rebuild.h"
#include "drivers/host/tombs.h"
#include "engine/record_codec.h"
#include "guard/files.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/process.h"

namespace host {
namespace {

class StateDirTest : public ::testing::Test {
 protected:
  StateDirTest() {
    record_.key = key_;
    record_.token = "token";
    record_.operation = plan::Operation{};
    record_.operation->kind = plan::OperationKind::kDelete;
    record_.operation->step = "put away";
  }
  ~StateDirTest() override { (void)posix::remove_tree(layout_.root()); }

  void make_cluster() {
    const auto files = layout_.cluster(key_);
    const auto member = layout_.member(key_, "c-0");
    ASSERT_TRUE(posix::make_dirs(member.data + "/member/wal"));
    ASSERT_TRUE(posix::write_atomic(member.data + "/member/wal/0.wal", "x"));
    ASSERT_TRUE(posix::make_dirs(files.retained));
    ASSERT_TRUE(posix::write_atomic(files.record, engine::encode_record(record_)));
  }
  std::unique_ptr<Platform> open(posix::PortRange ports = {24000, 24099}) {
    PlatformOptions options;
    options.state_dir = layout_.root();
    options.guard = "/nowhere/etcd-guard";
    options.fetch = false;
    options.ports = ports;
    options.status_text = [](const auto&, const auto&) { return std::string("status"); };
    auto opened = Platform::open(options, clock_, random_, *log_);
    EXPECT_TRUE(opened) << opened.error().text();
    return opened ? std::move(*opened) : nullptr;
  }
  // What is left beside the clusters' folders.
  std::vector<std::string> buried() {
    std::vector<std::string> out;
    for (auto& name : posix::list_dir(layout_.clusters() + "/default").value())
      if (name.starts_with('.')) out.push_back(std::move(name));
    return out;
  }

  const base::ClusterKey key_{"default", "c"};
  const Layout layout_{::testing::TempDir() + "host-state-" + std::to_string(posix::own_pid())};
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  const std::unique_ptr<base::Logger> log_ = posix::make_null_logger();
  plan::Record record_;
};

// With the data goes everything but what the same name must never use again; whatever is written
// after it brings no folder back, and a cluster that comes under the name finds it.
TEST_F(StateDirTest, ADeletionLeavesOnlyWhatMayNotBeUsedAgain) {
  record_.next_ordinal = 7;
  make_cluster();
  const auto platform = open();
  plan::Intent intent;
  intent.cluster.key = key_;
  const auto driver = platform->driver(key_);
  const auto done =
      driver->apply({plan::DeleteCluster{true}, plan::Reason::kDeleteDone}, {intent, record_}, {});
  EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  const auto found = [&] { return platform->driver(key_)->load_record().value(); };
  EXPECT_EQ(found().record.next_ordinal, 7) << "also if nothing is stored after it";
  ASSERT_TRUE(driver->save_record(rest_of(record_)));
  const std::vector<plan::Event> events{{plan::Reason::kDeleteDone, false, "gone"}};
  EXPECT_TRUE(driver->publish({}, events));
  EXPECT_EQ(posix::list_dir(layout_.clusters() + "/default").value(),
            std::vector<std::string>{".ended-c"});
  EXPECT_EQ(platform->clusters().value(), std::vector<base::ClusterKey>{});
  EXPECT_EQ(found().state, plan::RecordState::kOk);
  EXPECT_EQ(found().record.old_tokens, std::set<std::string>{"token"});

  // One comes again: from now on its own record says it.
  plan::Record next = found().record;
  next.operation.reset();
  ASSERT_TRUE(driver->save_record(next));
  EXPECT_EQ(posix::list_dir(layout_.clusters() + "/default").value(),
            std::vector<std::string>{"c"});
  EXPECT_EQ(found().record.next_ordinal, 7);
}

// Members without a record are of a cluster whose record was lost: that is not the one that went.
TEST_F(StateDirTest, TheRestOfADeletedClusterIsNotTheRecordOfMembersThatAreThere) {
  make_cluster();
  ASSERT_TRUE(save_rest(layout_, rest_of(record_)));
  ASSERT_TRUE(posix::remove_file(layout_.cluster(key_).record));
  const auto platform = open();
  EXPECT_EQ(platform->driver(key_)->load_record().value().state, plan::RecordState::kNone);
}

TEST_F(StateDirTest, AnEventIsKeptAlsoIfTheStatusCannotBeWritten) {
  make_cluster();
  const auto platform = open();
  const auto driver = platform->driver(key_);
  const auto files = layout_.cluster(key_);
  ASSERT_TRUE(posix::make_dirs(files.status + "/in the way"));
  std::vector<plan::Event> events{{plan::Reason::kMemberStart, false, "first"}};
  EXPECT_FALSE(driver->publish({}, events));
  const auto lines = [&] {
    return std::ranges::count(posix::read_file(files.events, 1 << 20).value_or(""), '\n');
  };
  EXPECT_EQ(lines(), 1);
  // It is told again, with what came since.
  events.push_back({plan::Reason::kMemberStart, false, "second"});
  EXPECT_FALSE(driver->publish({}, events));
  ASSERT_TRUE(posix::remove_tree(files.status));
  EXPECT_TRUE(driver->publish({}, events));
  EXPECT_EQ(lines(), 2);
  EXPECT_TRUE(driver->publish({}, events));
  EXPECT_EQ(lines(), 4) << "another publish tells its own";
}

TEST_F(StateDirTest, OnlyALockThatIsHeldMeansAnotherOperator) {
  const auto error = [&] {
    PlatformOptions options;
    options.state_dir = layout_.root();
    const auto opened = Platform::open(options, clock_, random_, *log_);
    return opened ? std::string() : opened.error().message;
  };
  {
    const auto first = open();
    EXPECT_NE(error().find("another operator works on"), std::string::npos) << error();
  }
  ASSERT_TRUE(posix::remove_file(layout_.lock()));
  ASSERT_EQ(::symlink("elsewhere", layout_.lock().c_str()), 0);
  EXPECT_EQ(error().find("another operator"), std::string::npos) << error();
  EXPECT_NE(error().find(layout_.lock()), std::string::npos) << error();
}

TEST_F(StateDirTest, ADeletionThatTheMachineInterruptedIsDoneAndNoPartOfItIsEverSeen) {
  // However far the removing got: nothing of it, some of the data, all of the data.
  for (const char* removed : {"", "/members/c-0/volume", "/members"}) {
    make_cluster();
    ASSERT_TRUE(bury(layout_, key_));
    ASSERT_EQ(buried().size(), 1U);
    if (*removed != 0)
      ASSERT_TRUE(posix::remove_tree(layout_.clusters() + "/default/" + buried()[0] + removed));
    EXPECT_EQ(list_clusters(layout_).value(), std::vector<base::ClusterKey>{}) << removed;
    const auto platform = open();
    EXPECT_EQ(platform->clusters().value(), std::vector<base::ClusterKey>{}) << removed;
    EXPECT_EQ(buried(), std::vector<std::string>{}) << removed;
  }
}

TEST_F(StateDirTest, ABuriedFolderThatDoesNotProveItsDeletionStays) {
  record_.operation->kind = plan::OperationKind::kScaleUp;
  make_cluster();
  ASSERT_TRUE(bury(layout_, key_));
  // A cluster that came after it under the same name is another folder.
  record_.operation->kind = plan::OperationKind::kDelete;
  make_cluster();
  ASSERT_TRUE(bury(layout_, key_));
  EXPECT_EQ(buried().size(), 2U);
  const auto platform = open();
  EXPECT_EQ(platform->clusters().value(), std::vector<base::ClusterKey>{});
  EXPECT_EQ(buried(), std::vector<std::string>{".deleted-c-1"});
}

// With the policy Delete: of data that is not in order one copy stays; what is not this
// incarnation's, or not known, is never touched.
TEST_F(StateDirTest, OfStaleDataOneCopyStays) {
  record_.operation.reset();
  record_.incarnation = "new";
  record_.formation = plan::Formation::kLatched;
  make_cluster();
  const auto keep = [&](const std::string& folder, const std::string& incarnation) {
    guard::Marker marker;
    marker.incarnation = incarnation;
    const std::string volume = layout_.cluster(key_).retained + "/" + folder + "/volume";
    ASSERT_TRUE(posix::make_dirs(volume));
    if (!incarnation.empty())
      ASSERT_TRUE(posix::write_atomic(volume + "/marker", guard::encode(marker)));
  };
  keep("c-7-retired", "new");
  keep("c-8-retired", "old");
  keep("c-9-retired", "");
  keep("c-5-unformed", "new");
  keep("c-unformed-0-retired-2", "old");
  const auto platform = open();
  plan::Intent intent;
  intent.cluster.key = key_;
  const auto put_aside = [&] {
    record_.members["c-0"].name = "c-0";
    record_.members["c-0"].phase = plan::Phase::kRetired;
    make_cluster();
    const auto done = platform->driver(key_)->apply(
        {plan::PutAside{"c-0", false}, plan::Reason::kPutAside}, {intent, record_}, {});
    EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
    return posix::list_dir(layout_.cluster(key_).retained).value();
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(put_aside(), (Names{"c-0-retired", "c-5-unformed", "c-7-retired", "c-8-retired",
                                "c-9-retired", "c-unformed-0-retired-2"}))
      << "the policy is Retain";
  intent.cluster.spec.when_scaled = api::ClaimPolicy::kDelete;
  record_.recovery.emplace();
  EXPECT_EQ(put_aside().size(), 7U) << "a recovery keeps all";
  record_.recovery.reset();
  // The first two hold no marker and prove nothing.
  EXPECT_EQ(put_aside(), (Names{"c-0-retired", "c-0-retired-2", "c-0-retired-3", "c-5-unformed",
                                "c-8-retired", "c-9-retired", "c-unformed-0-retired-2"}));
  record_.formation = plan::Formation::kForming;
  make_cluster();
  guard::Ticket ticket;
  ticket.permit = guard::Permit::kBootstrap;
  ASSERT_TRUE(posix::write_atomic(layout_.member(key_, "c-0").ticket, guard::encode(ticket)));
  const auto done = platform->driver(key_)->apply(
      {plan::DiscardFormation{}, plan::Reason::kPutAside}, {intent, record_}, {});
  EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  EXPECT_EQ(posix::list_dir(layout_.cluster(key_).retained).value(),
            (Names{"c-0-retired", "c-0-retired-2", "c-0-retired-3", "c-0-unformed", "c-8-retired",
                   "c-9-retired", "c-unformed-0-retired-2"}));
}

class DamagedRecordTest : public StateDirTest {
 protected:
  // A member whose files tell all of it.
  void make_member() {
    make_cluster();
    guard::Ticket t;
    t.cluster_ns = key_.ns;
    t.cluster_name = key_.name;
    t.member_name = "c-0";
    t.permit = guard::Permit::kData;
    t.volume_id = "volume";
    t.incarnation = "incarnation";
    t.member_id = {1};
    t.cluster_id = {2};
    t.version = "3.6.16";
    t.args = {"--listen-peer-urls=https://127.0.0.1:24001",
              "--listen-client-urls=https://127.0.0.1:24002",
              "--listen-metrics-urls=http://127.0.0.1:24003"};
    guard::Marker m;
    m.member_name = t.member_name;
    m.volume_id = t.volume_id;
    m.incarnation = t.incarnation;
    m.member_id = t.member_id;
    m.cluster_id = t.cluster_id;
    const auto member = layout_.member(key_, "c-0");
    ASSERT_TRUE(posix::write_atomic(member.ticket, guard::encode(t)));
    ASSERT_TRUE(posix::write_atomic(member.marker, guard::encode(m)));
  }
  void store(const std::string& bytes) {
    ASSERT_TRUE(posix::write_atomic(layout_.cluster(key_).record, bytes));
  }
  std::string stored(const std::string& beside = "") {
    return posix::read_file(layout_.cluster(key_).record + beside, 1 << 20).value_or("none");
  }
};

TEST_F(DamagedRecordTest, WhatARebuiltOneReplacesIsKept) {
  make_member();
  const auto platform = open();
  for (const std::string bytes : {"damaged", "damaged again"}) {
    store(bytes);
    const auto driver = platform->driver(key_);
    const auto loaded = driver->load_record();
    ASSERT_TRUE(loaded) << loaded.error().text();
    ASSERT_EQ(loaded->state, plan::RecordState::kOk) << loaded->problem;
    EXPECT_EQ(stored(), bytes) << "without one a new cluster would begin";
    ASSERT_TRUE(driver->save_record(loaded->record));
    ASSERT_TRUE(driver->save_record(loaded->record));
    EXPECT_EQ(stored(), engine::encode_record(loaded->record));
  }
  EXPECT_EQ(stored(".damaged-1"), "damaged");
  EXPECT_EQ(stored(".damaged-2"), "damaged again");
  EXPECT_EQ(stored(".damaged-3"), "none");
}

TEST_F(DamagedRecordTest, ANewerOperatorsIsLeftAlone) {
  make_member();
  for (const auto* body : {"format 2\n{}\n", "format 1\n{\"formation\":\"OfTomorrow\"}\n"}) {
    const std::string bytes = body + fmt::format("crc {:08x}\n", base::crc32c(body));
    store(bytes);
    const auto platform = open();
    const auto loaded = platform->driver(key_)->load_record();
    ASSERT_TRUE(loaded) << loaded.error().text();
    EXPECT_EQ(loaded->state, plan::RecordState::kTorn);
    EXPECT_NE(loaded->problem.find("written by a newer etcd-operator"), std::string::npos)
        << loaded->problem;
    EXPECT_EQ(stored(), bytes);
  }
}

TEST_F(StateDirTest, PortsOfAMemberWhoseRecordIsTornAreGivenToNobody) {
  make_cluster();
  ASSERT_TRUE(posix::write_atomic(layout_.cluster(key_).record, "lost"));
  guard::Ticket ticket;
  ticket.args = {"--listen-peer-urls=https://127.0.0.1:24101",
                 "--listen-client-urls=https://127.0.0.1:24102",
                 "--listen-metrics-urls=http://127.0.0.1:24103", "--other=x"};
  ASSERT_TRUE(posix::write_atomic(layout_.member(key_, "c-0").ticket, guard::encode(ticket)));
  EXPECT_EQ(ports_on_disk(layout_, key_), (std::set<posix::Port>{24101, 24102, 24103}));
  const base::ClusterKey other{"default", "other"};
  plan::Intent intent;
  intent.cluster.key = other;
  intent.cluster.spec.size = 0;  // then the ports of one member are looked for
  plan::Record none;
  none.key = other;
  // There is no fourth port.
  const auto platform = open({24101, 24103});
  const auto seen = platform->driver(other)->observe({intent, none}, false, {});
  EXPECT_TRUE(seen.addresses.empty()) << seen.addresses.begin()->second.client_url;
}

}  // namespace
}  // namespace host
