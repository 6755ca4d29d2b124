// The host's file, the journal, tickets, the unit and the certificates folder.
#include <gtest/gtest.h>

#include <algorithm>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/door.h"
#include "adm/host.h"
#include "adm/node.h"
#include "adm/service.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "etcd/identity.h"
#include "pki/cert.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/test_dir.h"
#include "posix/test_file_limit.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Instant kNow{std::chrono::seconds(1'800'000'000)};

Host sample(const std::string& root) {
  Flags f;
  f.name = "etcd-1";
  f.version = "v3.5.12";
  f.bind_address = "10.0.0.5";
  f.certs_dir = root + "/pki";
  f.install_dir = root + "/bin";
  f.data_dir = root + "/data";
  f.extra_sans = {"db.example", "10.9.9.9"};
  Host host;
  configure(host, f);
  host.stage = Stage::kStarted;
  host.permit = guard::Permit::kBootstrap;
  host.token = "etcd-abc";
  host.volume = "v1";
  host.member_id = etcd::member_id({host.peer_url()}, host.token);
  host.cluster_id = etcd::cluster_id({host.member_id});
  host.joined = {{"etcd-1", host.peer_url()}, {"etcd-2", "https://10.0.0.6:2380"}};
  host.endpoints = {"https://10.0.0.5:2379"};
  return host;
}

TEST(HostFile, ComesBackAsItWas) {
  const posix::TestDir dir;
  const Places places{dir.path("state")};
  const Host host = sample(dir.path(""));
  ASSERT_TRUE(save_host(places, host));
  const auto read = load_host(places);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, host);
  EXPECT_EQ(host.version, "3.5.12");
}

TEST(HostFile, AbsentDamagedAndNewerAreToldApart) {
  const posix::TestDir dir;
  const Places places{dir.path("state")};
  EXPECT_EQ(load_host(places).error().code, Code::kNotFound);
  ASSERT_TRUE(posix::make_dirs(places.state_dir));
  ASSERT_TRUE(posix::write_atomic(places.host_file(), "{"));
  EXPECT_FALSE(load_host(places));
  ASSERT_TRUE(posix::write_atomic(places.host_file(), "{\"format\": 2}"));
  EXPECT_EQ(load_host(places).error().code, Code::kUnimplemented);
  ASSERT_TRUE(posix::write_atomic(places.host_file(), "{\"format\": 1}"));
  const auto partial = load_host(places);
  ASSERT_FALSE(partial);
  EXPECT_NE(partial.error().message.find("host.json"), std::string::npos);
}

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
  Bench() { context.flags.state_dir = dir.path("state"); }
};

TEST(Begin, KeptSettingsStandInForFlagsThatWereNotGiven) {
  Bench b;
  Host kept = bare(sample(b.dir.path("")));
  kept.bind_address = "127.0.0.1";
  kept.client_port = 12379;
  kept.init_system = "none";
  ASSERT_TRUE(save_host(b.context.places(), kept));
  b.context.flags.given = {"data-dir"};
  b.context.flags.data_dir = "/elsewhere";
  const auto begun = begin(b.context, "join");
  ASSERT_TRUE(begun) << begun.error().text();
  kept.data_dir = "/elsewhere";
  EXPECT_EQ(begun->host, kept);
  EXPECT_EQ(b.context.flags.certs_dir, kept.certs_dir);
}

TEST(Steps, ACommandThatDidNotEndGoesOnAndNoOtherBegins) {
  Bench b;
  int first = 0, second = 0;
  bool fails = true;
  const std::vector<Step> steps{{"one", "the first",
                                 [&] {
                                   ++first;
                                   return base::Status{};
                                 }},
                                {"two", "the second", [&]() -> base::Status {
                                   ++second;
                                   if (fails) return base::fail(Code::kUnavailable, "not yet");
                                   return {};
                                 }}};
  const auto failed = run_steps(b.context, {"init", {}}, steps);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "two: not yet");
  EXPECT_EQ(*unfinished(b.context.places()), "init");
  const auto other = run_steps(b.context, {"join", {}}, steps);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(first, 1);
  fails = false;
  ASSERT_TRUE(run_steps(b.context, {"init", {}}, steps));
  EXPECT_EQ(second, 2);
  EXPECT_EQ(*unfinished(b.context.places()), "");
}

TEST(Steps, ACommandThatIsRefusedAtOnceWasNeverBegun) {
  Bench b;
  bool fails = true;
  const std::vector<Step> refused{{"one", "", [&]() -> base::Status {
                                     if (fails) return base::fail(Code::kFailedPrecondition, "no");
                                     return {};
                                   }}};
  EXPECT_EQ(run_steps(b.context, {"init", {}}, refused).error().message, "one: no");
  EXPECT_EQ(*unfinished(b.context.places()), "");
  // One that was begun stays so, whether it is refused later or another would take its place.
  const std::vector<Step> stuck{{"one", "", [] { return base::Status{}; }},
                                {"two", "", [] { return base::fail(Code::kInternal, "x"); }}};
  EXPECT_FALSE(run_steps(b.context, {"join", {}}, stuck));
  EXPECT_FALSE(run_steps(b.context, {"join", {}}, refused));
  EXPECT_EQ(*unfinished(b.context.places()), "join");
  EXPECT_FALSE(run_steps(b.context, {"reset", {}, true, true}, refused));
  EXPECT_EQ(*unfinished(b.context.places()), "join");
  fails = false;
  EXPECT_TRUE(run_steps(b.context, {"reset", {}, true, true}, refused));
  EXPECT_EQ(*unfinished(b.context.places()), "");
}

TEST(Steps, ResetForgetsACommandThatMadeThisHostNothing) {
  Bench b;
  EXPECT_EQ(reset(b.context).error().code, Code::kNotFound);
  const std::vector<Step> stuck{{"one", "", [] { return base::Status{}; }},
                                {"two", "", [] { return base::fail(Code::kInternal, "x"); }}};
  EXPECT_FALSE(run_steps(b.context, {"init", {}}, stuck));
  b.context.flags.dry_run = true;
  EXPECT_TRUE(reset(b.context));
  EXPECT_EQ(*unfinished(b.context.places()), "init");
  b.context.flags.dry_run = false;
  const auto done = reset(b.context);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_NE(done->text.find("`etcdadm init`, which was begun here"), std::string::npos);
  EXPECT_EQ(*unfinished(b.context.places()), "");
}

TEST(Steps, WhoActsBeforeTheFirstStepIsToldOfAnother) {
  Bench b;
  const auto places = b.context.places();
  EXPECT_TRUE(no_other(places, "certs rotate"));
  const std::vector<Step> steps{{"one", "", [] { return base::Status{}; }},
                                {"two", "", [] { return base::fail(Code::kInternal, "no"); }}};
  EXPECT_FALSE(run_steps(b.context, {"upgrade apply", {}}, steps));
  EXPECT_EQ(unfinished_step(places)->step, "two");
  EXPECT_TRUE(no_other(places, "upgrade apply"));
  const auto other = no_other(places, "certs rotate");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_NE(other.error().message.find("`etcdadm upgrade apply`"), std::string::npos);
}

TEST(Steps, APhaseIsOneStepAndLeavesNoJournal) {
  Bench b;
  int ran = 0;
  const std::vector<Step> steps{{"one", "", [] { return base::fail(Code::kInternal, "no"); }},
                                {"two", "", [&] {
                                   ++ran;
                                   return base::Status{};
                                 }}};
  ASSERT_TRUE(run_steps(b.context, {"init", "two"}, steps));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(*unfinished(b.context.places()), "");
  const auto wrong = run_steps(b.context, {"init", "three"}, steps);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalidArgument);
  EXPECT_EQ(wrong.error().message, "init phase: 'three' is none of one, two");
}

TEST(Ticket, OfAFoundingMember) {
  const Host host = sample("/x");
  auto founder = host;
  founder.joined = {{"etcd-1", host.peer_url()}};
  const auto t = ticket_of(founder);
  ASSERT_TRUE(t) << t.error().text();
  EXPECT_EQ(t->permit, guard::Permit::kBootstrap);
  EXPECT_EQ(t->member_id, host.member_id);
  EXPECT_EQ(t->cluster_id, host.cluster_id);
  EXPECT_EQ(t->initial_cluster, "etcd-1=https://10.0.0.5:2380");
  EXPECT_EQ(t->peer_address, "10.0.0.5:2380");
  EXPECT_NE(std::ranges::find(t->args,
                              "--listen-client-urls=https://10.0.0.5:2379,https://127.0.0.1:2379"),
            t->args.end());
  EXPECT_NE(std::ranges::find(t->args, "--cert-file=/x/pki/server.crt"), t->args.end());
  EXPECT_NE(std::ranges::find(t->args, "--client-cert-auth=true"), t->args.end());
  EXPECT_NE(std::ranges::find(t->args, "--listen-metrics-urls=http://127.0.0.1:2381"),
            t->args.end());
}

TEST(Ticket, OfAJoiningMemberListsTheClusterAsItIs) {
  Host host = sample("/x");
  host.permit = guard::Permit::kJoin;
  host.member_id = {7};
  const auto t = ticket_of(host);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->initial_cluster, "etcd-1=https://10.0.0.5:2380,etcd-2=https://10.0.0.6:2380");
  EXPECT_EQ(t->member_id.value, 7U);
}

TEST(Ticket, OfARestoreSaysFromWhatAndUnderWhichToken) {
  Host host = sample("/x");
  host.permit = guard::Permit::kRestore;
  host.restore_operation = "op";
  host.restore_snapshot = "/s/restore.db";
  const auto t = ticket_of(host);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->restore_operation, "op");
  EXPECT_EQ(t->restore_snapshot, "/s/restore.db");
  EXPECT_EQ(t->restore_token, host.token);
  EXPECT_EQ(t->initial_cluster, "etcd-1=https://10.0.0.5:2380");
}

TEST(Unit, RunsTheGuardAndQuotesWhatIsSpecial) {
  Host host = sample("/x");
  host.disk_priorities = {"Nice=-10"};
  const auto text = unit_text(host, {"/var/lib/a%b"});
  EXPECT_NE(text.find("ExecStart=\"/x/bin/etcd-guard\" run --member-dir \"/var/lib/a%%b/member\""),
            std::string::npos)
      << text;
  for (const char* line : {"Type=notify\n", "NotifyAccess=all\n", "TimeoutStartSec=infinity\n",
                           "StartLimitIntervalSec=0\n", "Nice=-10\n", "ProtectSystem=strict\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(Unit, RunsAsItsUserAndWithoutOneAsRoot) {
  Host host = sample("/x");
  const auto of_root = unit_text(host, {"/s"});
  EXPECT_EQ(of_root.find("\nUser="), std::string::npos);
  EXPECT_NE(of_root.find("\nCapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_FOWNER\n"),
            std::string::npos);
  host.user = "etcd";
  const auto own = unit_text(host, {"/s"});
  EXPECT_NE(own.find("\nUser=etcd\n"), std::string::npos);
  EXPECT_NE(own.find("\nCapabilityBoundingSet=\n"), std::string::npos);
}

TEST(Unit, MayHoldAsMuchMemoryFastAsEtcdIsToldTo) {
  Host host = sample("/x");
  EXPECT_EQ(unit_text(host, {"/s"}).find("LimitMEMLOCK"), std::string::npos);
  host.options = {"--experimental-memory-mlock=true"};
  EXPECT_NE(unit_text(host, {"/s"}).find("\nLimitMEMLOCK=infinity\n"), std::string::npos);
}

TEST(User, IsOneThatThisHostHasAndThatAUnitCanRunAs) {
  Flags f;
  f.given = {"user"};
  f.user = "eo-no-such-user";
  const auto unknown = choose_user(f);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, base::Code::kInvalidArgument);
  EXPECT_NE(unknown.error().message.find("--user: 'eo-no-such-user'"), std::string::npos);
  f.init_system = "none";
  EXPECT_EQ(choose_user(f).error().code, base::Code::kInvalidArgument);
  f.user = kRoot;
  EXPECT_TRUE(choose_user(f));
  // What is kept of a life under systemd is no wish of now.
  f.given.clear();
  f.user = "eo-no-such-user";
  EXPECT_TRUE(choose_user(f));
  EXPECT_EQ(f.user, kRoot);
  Host host;
  configure(host, f);
  EXPECT_EQ(host.user, "");
}

TEST(User, AHostThatWasMadeForRootStaysSo) {
  const posix::TestDir dir;
  const Places places{dir.path("s")};
  Host old = sample(dir.path(""));
  ASSERT_TRUE(save_host(places, old));
  auto text = *posix::read_file(places.host_file(), 1 << 20);
  const auto at = text.find("\"user\"");
  ASSERT_NE(at, std::string::npos);
  text.erase(at, text.find('\n', at) - at);
  ASSERT_TRUE(posix::write_atomic(places.host_file(), text));
  const auto loaded = load_host(places);
  ASSERT_TRUE(loaded) << loaded.error().text() << text;
  EXPECT_EQ(loaded->user, "");
  EXPECT_EQ(*loaded, old);
}

// Writes down what it is told.
class ToldManager final : public UnitManager {
 public:
  explicit ToldManager(std::string& told) : told_(told) {}
  base::Status reload(base::Duration) override { return note("reload"); }
  base::Status enable(const std::string& unit, base::Duration) override {
    return note("enable " + unit);
  }
  base::Status disable(const std::string& unit, base::Duration) override {
    return note("disable " + unit);
  }
  base::Status start(const std::string& unit, base::Duration) override {
    return note("start " + unit);
  }
  base::Status stop(const std::string& unit, base::Duration, const std::stop_token&) override {
    return note("stop " + unit);
  }

 private:
  base::Status note(const std::string& what) {
    told_ += what + "\n";
    return {};
  }
  std::string& told_;
};

TEST(Unit, WhoIsStoppedForAMomentComesBackAfterAReboot) {
  const posix::TestDir dir;
  Host host = sample(dir.path(""));
  host.unit_dir = dir.path("units");
  ASSERT_TRUE(posix::make_dirs(host.unit_dir));
  ASSERT_TRUE(posix::write_atomic(host.unit_dir + "/etcd.service", "[Unit]\n"));
  std::string told;
  const auto service =
      systemd_service(host, {dir.path("state")}, std::make_unique<ToldManager>(told));
  const auto stopped = service->stop(std::chrono::seconds(10), {});
  EXPECT_TRUE(stopped) << stopped.error().text();
  EXPECT_EQ(told, "stop etcd.service\n");
  EXPECT_TRUE(service->retire(std::chrono::seconds(10), {}));
  EXPECT_EQ(told, "stop etcd.service\ndisable etcd.service\nstop etcd.service\n");
}

TEST(Certificates, AFolderIsFilledOnceAndHolds) {
  const posix::TestDir dir;
  const Host host = sample(dir.path(""));
  ASSERT_TRUE(make_certificates(host, kNow));
  const auto before = posix::read_file(host.certs_dir + "/server.crt", 1 << 20);
  const auto again = make_certificates(host, kNow + std::chrono::hours(1));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(before, posix::read_file(host.certs_dir + "/server.crt", 1 << 20));
  for (const auto& leaf : check_certificates(host, kNow, std::chrono::hours(1)))
    EXPECT_EQ(leaf.health, Health::kGood) << leaf.name << ": " << leaf.problem;
  EXPECT_EQ(posix::file_info(host.certs_dir + "/ca.key")->mode, 0600U);
  const auto cert = pki::parse_certificate(*before);
  for (const char* name : {"localhost", "etcd-1", "db.example"})
    EXPECT_NE(std::ranges::find(cert->dns, name), cert->dns.end()) << name;
  for (const char* ip : {"127.0.0.1", "10.0.0.5", "10.9.9.9"})
    EXPECT_NE(std::ranges::find(cert->ips, ip), cert->ips.end()) << ip;
}

TEST(Certificates, AJoinNeverMakesAnAuthority) {
  const posix::TestDir dir;
  const Host host = sample(dir.path(""));
  const auto none = take_certificates(host, kNow);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_NE(none.error().message.find("copy ca.crt and ca.key"), std::string::npos);
  EXPECT_NE(none.error().message.find("keep the key where it is"), std::string::npos);
  EXPECT_EQ(posix::exists(host.certs_dir + "/ca.crt"), base::Fact<bool>(false));
  // With the authority, or with leaves alone, it goes on.
  ASSERT_TRUE(make_certificates(host, kNow));
  ASSERT_TRUE(posix::remove_file(host.certs_dir + "/peer.crt"));
  EXPECT_TRUE(take_certificates(host, kNow));
  ASSERT_TRUE(posix::remove_file(host.certs_dir + "/ca.key"));
  EXPECT_TRUE(take_certificates(host, kNow));
  ASSERT_TRUE(posix::remove_file(host.certs_dir + "/peer.crt"));
  EXPECT_FALSE(take_certificates(host, kNow));
}

TEST(Certificates, LeavesOfAnotherAuthorityOrHostAreNotUsed) {
  const posix::TestDir dir;
  Host host = sample(dir.path(""));
  ASSERT_TRUE(make_certificates(host, kNow));
  Host moved = host;
  moved.bind_address = "10.0.0.77";
  const auto other = make_certificates(moved, kNow);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("not valid for 10.0.0.77"), std::string::npos);
  ASSERT_TRUE(posix::remove_file(host.certs_dir + "/ca.crt"));
  const auto orphans = make_certificates(host, kNow);
  ASSERT_FALSE(orphans);
  EXPECT_EQ(orphans.error().code, Code::kFailedPrecondition);
}

TEST(Certificates, RenewalTakesWhatEndsSoonAndWhatDoesNotHold) {
  const posix::TestDir dir;
  const Host host = sample(dir.path(""));
  ASSERT_TRUE(make_certificates(host, kNow));
  const auto none = renew_certificates(host, kNow, std::chrono::hours(24));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(posix::write_atomic(host.certs_dir + "/peer.crt", "damaged"));
  EXPECT_EQ(*renew_certificates(host, kNow, std::chrono::hours(24)),
            std::vector<std::string>{"peer"});
  const auto later = kNow + std::chrono::hours(24 * 400);
  EXPECT_EQ(due_certificates(host, later, {}).size(), 3U);
  ASSERT_TRUE(renew_certificates(host, later, {}));
  EXPECT_TRUE(due_certificates(host, later, {}).empty());
  ASSERT_TRUE(posix::remove_file(host.certs_dir + "/ca.key"));
  EXPECT_EQ(renew_certificates(host, later + std::chrono::hours(24 * 400), {}).error().code,
            Code::kFailedPrecondition);
}

TEST(Certificates, APairIsReplacedAsOneOrNotAtAll) {
  const posix::TestDir dir;
  const Host host = sample(dir.path(""));
  ASSERT_TRUE(make_certificates(host, kNow));
  const auto before = read_pair(host, "peer");
  ASSERT_TRUE(before);
  {
    const posix::TestFileLimit full(65536);
    EXPECT_FALSE(write_pair(host, "peer", {std::string(size_t{1} << 18, 'c'), "key"}));
  }
  const auto after = read_pair(host, "peer");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->key, before->key);
  EXPECT_EQ(after->cert, before->cert);
  EXPECT_EQ(posix::list_dir(host.certs_dir)->size(), 8U);  // and no half of a new one
}

TEST(Door, ThePeersPageNamesClientUrls) {
  const auto urls = client_urls_in(
      R"([{"id":1,"name":"b","clientURLs":["https://10.0.0.6:2379"]},
          {"id":2,"name":""},
          {"id":3,"clientURLs":["unix://x","https://10.0.0.5:2379"]}])");
  ASSERT_TRUE(urls);
  EXPECT_EQ(*urls, (std::vector<std::string>{"https://10.0.0.5:2379", "https://10.0.0.6:2379"}));
  EXPECT_FALSE(client_urls_in("[]"));
  EXPECT_FALSE(client_urls_in("404 page not found"));
}

}  // namespace
}  // namespace adm
