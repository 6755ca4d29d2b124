// Whose the data is: an etcd that runs on it, recoveries and restores that go on.
#include <gtest/gtest.h>

#include <csignal>

#include "adm/adopt_process.h"
#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "etcd/bolt/testing/sample.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/link.h"
#include "posix/socket.h"
#include "posix/test_dir.h"

namespace adm {
namespace {

using base::Code;

struct Bench {
  posix::TestDir dir;
  posix::SystemClock clock;
  std::vector<std::string> said;
  Context context{Flags{},
                  clock,
                  {},
                  "guard",
                  [this](const auto& s) { said.push_back(s); },
                  [](const auto&) { return false; }};
  Host host;

  Bench() {
    Flags& f = context.flags;
    f.state_dir = dir.path("state");
    f.name = "etcd-1";
    f.bind_address = "127.0.0.1";
    f.init_system = "none";
    f.certs_dir = dir.path("pki");
    f.install_dir = dir.path("bin");
    f.data_dir = dir.path("data");
    configure(host, f);
    host.stage = Stage::kMember;
    host.member_id = {7};
    host.cluster_id = {8};
    host.token = "etcd-abc";
    for (const char* folder : {"/data", "/bin"})
      EXPECT_TRUE(posix::make_dirs(dir.path("") + folder));
  }
  void leave_journal(const std::string& command) {
    const std::vector<Step> stuck{{"one", "", [] { return base::Status{}; }},
                                  {"two", "", [] { return base::fail(Code::kInternal, "x"); }}};
    EXPECT_FALSE(run_steps(context, {command, {}}, stuck));
  }
};

// A program that has the name of etcd, and was told the same.
class FakeEtcd {
 public:
  explicit FakeEtcd(const Bench& b) {
    const std::string program = b.dir.path("bin/etcd");
    EXPECT_TRUE(posix::link_to("/bin/sleep", program));
    const auto started =
        posix::spawn_detached({{{program, "600"}, {"ETCD_DATA_DIR=" + b.dir.path("data")}, "/"}});
    EXPECT_TRUE(started) << started.error().text();
    if (started) process = *started;
  }
  FakeEtcd(const FakeEtcd&) = delete;
  FakeEtcd& operator=(const FakeEtcd&) = delete;
  ~FakeEtcd() { (void)posix::send_signal(process, SIGKILL); }
  [[nodiscard]] bool runs() const { return posix::is_alive(process) == base::Fact<bool>(true); }

  posix::ProcessId process;
};

TEST(Data, AnEtcdThatRunsOnItIsFound) {
  const Bench b;
  const FakeEtcd etcd(b);
  ASSERT_TRUE(posix::link_to(b.dir.path("data"), b.dir.path("link")));
  ASSERT_TRUE(posix::link_to(".", b.dir.path("data/data")));  // of an adopted member
  for (const char* name : {"data", "data//", "link", "data/data"}) {
    const auto found = etcd_on(b.dir.path(name), 0);
    ASSERT_TRUE(found && found->has_value()) << name;
    EXPECT_EQ((*found)->process, etcd.process);
  }
  for (const char* name : {"bin", "absent"}) EXPECT_FALSE(*etcd_on(b.dir.path(name), 0)) << name;
}

TEST(Data, OfAnAdoptedMemberTheEtcdWithoutAGuardIsEndedWithIt) {
  Bench b;
  const FakeEtcd etcd(b);
  const auto other = stop_member(b.context, b.host);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("pid " + std::to_string(etcd.process.pid)),
            std::string::npos);
  EXPECT_TRUE(etcd.runs());
  b.host.token = "adopted-8";
  const auto ended = stop_member(b.context, b.host);
  EXPECT_TRUE(ended) << ended.error().text();
  EXPECT_FALSE(etcd.runs());
}

TEST(Data, ResetTouchesNothingUnderARunningEtcd) {
  Bench b;
  const FakeEtcd etcd(b);
  ASSERT_TRUE(posix::write_atomic(b.dir.path("data/x"), "x"));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  b.context.flags.yes = b.context.flags.skip_remove_member = b.context.flags.delete_data = true;
  const auto refused = reset(b.context);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition) << refused.error().text();
  EXPECT_TRUE(etcd.runs());
  EXPECT_EQ(posix::exists(b.dir.path("data/x")), base::Fact<bool>(true));
}

TEST(Data, ARecoveryThatGoesOnLooksAgainWhoElseRuns) {
  Bench b;
  const auto other = posix::TcpListener::listen("127.0.0.1", 0);
  ASSERT_TRUE(other);
  b.host.endpoints = {"https://127.0.0.1:3"};  // started again, it opens its peer port only
  b.host.client_port = 1;
  b.host.peer_port = other->port();
  ASSERT_TRUE(make_certificates(b.host, b.clock.now()));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  b.context.flags.yes = true;
  const std::string recovery = b.context.places().recovery(), kept = b.dir.path("data.survivor-1");
  const auto begin = [&] {
    ASSERT_TRUE(posix::make_dirs(recovery));
    ASSERT_TRUE(
        posix::write_atomic(recovery + "/choice.json",
                            R"({"oldCluster": "8", "bound": "x", "kept": ")" + kept + "\"}"));
    ASSERT_TRUE(posix::write_atomic(recovery + "/survivor.db", "of an earlier time"));
    b.leave_journal("member recover");
  };
  begin();
  const auto refused = member_recover(b.context);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("still runs"), std::string::npos)
      << refused.error().text();
  EXPECT_NE(refused.error().message.find("is given up"), std::string::npos);
  EXPECT_EQ(*unfinished(b.context.places()), "");
  EXPECT_EQ(posix::exists(recovery), base::Fact<bool>(false));
  // Where the data was moved already there is no way back but a reset.
  ASSERT_TRUE(posix::make_dirs(kept));
  begin();
  const auto late = member_recover(b.context);
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().message.find("etcdadm reset --keep-config"), std::string::npos)
      << late.error().text();
  EXPECT_EQ(*unfinished(b.context.places()), "member recover");
  EXPECT_EQ(posix::exists(recovery + "/survivor.db"), base::Fact<bool>(true));
}

TEST(Data, ARestartUnderTheGuardThatWasKilledInBetweenGoesOn) {
  Bench b;
  b.host.token = "adopted-8";
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  ASSERT_TRUE(write_member(b.context, b.host));
  b.context.flags.restart = true;
  // There is no program to start: that it is tried is what this shows.
  const auto tried = adopt(b.context);
  ASSERT_FALSE(tried);
  EXPECT_NE(tried.error().message.find("etcd-guard"), std::string::npos) << tried.error().text();
}

TEST(Data, OnADiskOfItsOwnIsPutAsideWithinIt) {
  const posix::TestDir dir;
  const std::string data = dir.path("data"), kept = data + "/kept-by-etcdadm.reset-1";
  EXPECT_TRUE(*is_empty(data));
  for (const char* folder : {"/lost+found", "/kept-by-etcdadm.old-1", "/data/member"})
    ASSERT_TRUE(posix::make_dirs(data + folder));
  EXPECT_FALSE(*is_empty(data));
  ASSERT_TRUE(move_folder(data, kept));
  EXPECT_TRUE(*is_empty(data));
  ASSERT_TRUE(posix::write_atomic(data + "/marker", "x"));  // killed before it was moved too
  ASSERT_TRUE(move_folder(data, kept));
  EXPECT_EQ(
      posix::list_dir(data),
      (std::vector<std::string>{"kept-by-etcdadm.old-1", "kept-by-etcdadm.reset-1", "lost+found"}));
  EXPECT_EQ(posix::list_dir(kept), (std::vector<std::string>{"data", "marker"}));
  EXPECT_EQ(aside_name(data, "reset", {}).find(data + ".reset-"), 0U);
  EXPECT_EQ(aside_name("/proc", "reset", {}).find("/proc/kept-by-etcdadm.reset-"), 0U);
}

TEST(Data, ResetSaysThatTheKeyOfTheAuthorityGoes) {
  Bench b;
  std::string asked;
  b.context.ask = [&](const auto& question) {
    asked = question;
    return false;
  };
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  EXPECT_FALSE(reset(b.context));
  EXPECT_EQ(asked.find("ca.key"), std::string::npos) << asked;
  ASSERT_TRUE(make_certificates(b.host, b.clock.now()));
  EXPECT_FALSE(reset(b.context));
  EXPECT_NE(asked.find(b.dir.path("pki/ca.key")), std::string::npos) << asked;
  b.context.flags.keep_config = true;
  EXPECT_FALSE(reset(b.context));
  EXPECT_EQ(asked.find("ca.key"), std::string::npos) << asked;
}

std::string snapshot(const Bench& b, const std::string& name, bool trailer = true) {
  bolt::testing::Sample sample;
  sample.put("name", name);
  bolt::WriteOptions options;
  options.trailer = trailer;
  std::string path = b.dir.path(name);
  EXPECT_TRUE(posix::write_atomic(path, sample.file(options)));
  return path;
}

TEST(Restore, ARunThatGoesOnTakesOnlyWhatItWasBegunWith) {
  Bench b;
  const auto first = snapshot(b, "a.db"), second = snapshot(b, "b.db");
  const auto refused = [&](const std::string& file) {
    const auto status = check_beginning(b.host, file, false);
    return status ? std::string() : status.error().message;
  };
  b.host = bare(b.host);
  EXPECT_EQ(refused(second), "");  // nothing was begun
  ASSERT_TRUE(begin_from_snapshot(b.context, b.host, first, false));
  b.host = *load_host(b.context.places());
  EXPECT_EQ(refused(first), "");
  EXPECT_NE(refused(second).find("the snapshot " + first), std::string::npos) << refused(second);
  EXPECT_NE(refused(""), "");
  EXPECT_FALSE(begin_from_snapshot(b.context, b.host, second, false));
  ASSERT_TRUE(posix::rename(first, first + ".moved"));
  EXPECT_EQ(refused(first), "");
  EXPECT_EQ(refused(first + ".moved"), "");
  ASSERT_TRUE(posix::rename(second, first));
  EXPECT_NE(refused(first), "");
  // The same for a member's own file, which has no sum in it.
  b.host = bare(b.host);
  const auto plain = snapshot(b, "plain.db", false);
  ASSERT_TRUE(begin_from_snapshot(b.context, b.host, plain, true));
  EXPECT_TRUE(check_beginning(b.host, plain, true));
  EXPECT_FALSE(check_beginning(b.host, snapshot(b, "other.db", false), true));
  // And for a cluster that began with nothing.
  b.host = bare(b.host);
  ASSERT_TRUE(found_cluster(b.host));
  EXPECT_EQ(refused(""), "");
  EXPECT_NE(refused(first).find("no snapshot"), std::string::npos);
}

TEST(Restore, FromAStoreIsKnownByItsName) {
  Bench b;
  b.host = bare(b.host);
  b.context.flags.subject = snapshot(b, "fetched.db");
  b.context.flags.subject_url = "s3://b/a.db";
  ASSERT_TRUE(begin_from_snapshot(b.context, b.host, b.context.flags.subject, false));
  EXPECT_TRUE(check_beginning(b.host, "s3://b/a.db", false));
  EXPECT_FALSE(check_beginning(b.host, "s3://b/b.db", false));
}

TEST(Restore, IntoAFolderThatIsNamedWhenItIsWhole) {
  Bench b;
  ASSERT_TRUE(
      posix::write_atomic(b.dir.path("bin/etcdutl"),
                          "#!/bin/sh\nfor a; do case $a in --data-dir=*) d=${a#*=};; esac; done\n"
                          "mkdir -p $d/member && exit $(cat " +
                              b.dir.path("ends") + ")\n",
                          0755));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  Flags& f = b.context.flags;
  f.subject = snapshot(b, "a.db");
  f.data_dir = b.dir.path("new");
  f.data_dir_given = f.force = true;
  ASSERT_TRUE(posix::make_dirs(b.dir.path("new")));
  ASSERT_TRUE(posix::write_atomic(b.dir.path("new/old"), "x"));
  const auto before = posix::list_dir(b.dir.path(""));
  ASSERT_TRUE(posix::write_atomic(b.dir.path("ends"), "1"));
  const auto failed = snapshot_restore(b.context);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("ended with 1"), std::string::npos)
      << failed.error().text();
  EXPECT_EQ(posix::exists(b.dir.path("new/old")), base::Fact<bool>(true));
  EXPECT_EQ(posix::list_dir(b.dir.path(""))->size(), before->size() + 1);  // `ends`
  ASSERT_TRUE(posix::write_atomic(b.dir.path("ends"), "0"));
  const auto done = snapshot_restore(b.context);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(posix::list_dir(b.dir.path("new")), (std::vector<std::string>{"member"}));
  EXPECT_NE(b.said.back().find("is kept in"), std::string::npos);
}

TEST(Restore, NothingOfTheMemberIsMovedAside) {
  Bench b;
  ASSERT_TRUE(posix::make_dirs(b.dir.path("data/data/member")));
  ASSERT_TRUE(posix::link_to(b.dir.path("data"), b.dir.path("link")));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  Flags& f = b.context.flags;
  f.subject = snapshot(b, "a.db");
  f.data_dir_given = f.force = true;
  for (const char* folder : {"data/data", "/data/", "link", "link/data", "", "state/x"}) {
    f.data_dir = b.dir.path("") + "/" + folder;
    const auto refused = snapshot_restore(b.context);
    ASSERT_FALSE(refused) << folder;
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition) << refused.error().text();
    EXPECT_NE(refused.error().message.find("nothing was changed"), std::string::npos);
  }
  EXPECT_EQ(posix::exists(b.dir.path("data/data/member")), base::Fact<bool>(true));
}

}  // namespace
}  // namespace adm
