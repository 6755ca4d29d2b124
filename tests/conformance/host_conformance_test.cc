#include <sys/resource.h>

#include <csignal>

#include "conformance/driver_conformance.h"
#include "drivers/host/layout.h"
#include "drivers/host/platform.h"
#include "guard/files.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "support/etcd_process.h"

namespace conformance {
namespace {

class HostBench {
 public:
  HostBench() {
    intent_.cluster.key = {"default", "c"};
    intent_.cluster.spec.size = 1;
    intent_.cluster.spec.version = *api::parse_version("3.5.12");
    open();
  }
  HostBench(const HostBench&) = delete;
  HostBench& operator=(const HostBench&) = delete;
  ~HostBench() {
    const auto members = posix::list_dir(files_.members);
    for (size_t i = 0; members && i < members->size(); ++i) {
      const auto bytes = posix::read_file(
          host::Layout(state()).member(intent_.cluster.key, (*members)[i]).state, 1 << 20);
      const auto told = bytes ? guard::decode_state(*bytes) : base::Result<guard::State>{};
      if (!told) continue;
      for (const auto pid : {told->guard_pid, told->etcd_pid})
        if (const auto process = posix::identify(pid)) (void)posix::send_signal(*process, SIGKILL);
    }
  }

  engine::Driver& driver() { return *driver_; }
  plan::Intent& intent() { return intent_; }
  void reopen() {
    driver_.reset();
    platform_.reset();
    open();
  }
  void tear_record() {
    const auto bytes = posix::read_file(files_.record, 1 << 20);
    ASSERT_TRUE(bytes);
    ASSERT_TRUE(posix::write_atomic(files_.record, bytes->substr(0, bytes->size() / 2)));
  }
  // No file of this process may grow: the same as a full disk, also for root.
  static void forbid_writes(bool on) {
    static rlimit before{};
    std::signal(SIGXFSZ, SIG_IGN);
    if (on) {
      ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
      const rlimit none{0, before.rlim_max};
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
    } else {
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    }
  }
  static void let_pass(base::Duration d) { (void)posix::poll_until({}, posix::deadline_in(d), {}); }
  // Its certificates are gone, and with `for_good` no others can be written.
  void lose_leaves(const std::string& member, bool for_good) {
    const auto tls = host::Layout(state()).member(intent_.cluster.key, member).tls;
    ASSERT_TRUE(posix::remove_tree(tls));
    if (for_good) ASSERT_TRUE(posix::write_atomic(tls, ""));
  }
  std::vector<std::string> left() {
    return posix::list_dir(files_.retained).value_or(std::vector<std::string>{});
  }

 private:
  [[nodiscard]] std::string state() const { return scratch_.root() + "/state"; }
  void open() {
    host::PlatformOptions options;
    options.state_dir = state();
    options.guard = EO_GUARD_PROGRAM;
    options.ports = {25000, 25999};
    options.fetch = false;
    auto opened = host::Platform::open(options, clock_, random_, *log_);
    ASSERT_TRUE(opened) << opened.error().text();
    platform_ = std::move(*opened);
    files_ = platform_->files(intent_.cluster.key);
    driver_ = platform_->driver(intent_.cluster.key);
  }

  support::ScratchDir scratch_;
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  std::unique_ptr<base::Logger> log_ = posix::make_null_logger();
  plan::Intent intent_;
  host::ClusterFiles files_;
  std::unique_ptr<host::Platform> platform_;
  std::unique_ptr<engine::Driver> driver_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Host, DriverConformance, HostBench);

class HostLeaves : public DriverConformance<HostBench> {};

TEST_F(HostLeaves, APlaceThatCannotBeWrittenHoldsUpNoOthersRenewal) {
  plan::Record record = one_member(look({}));
  plan::MemberRecord other = record.members.at(first());
  other.name = "c-1";
  other.ordinal = 1;
  record.members["c-1"] = other;
  for (const std::string name : {"c-0", "c-1"})
    ASSERT_EQ(outcome(plan::PrepareMember{name}, record), Outcome::kDone);
  bench_.lose_leaves("c-0", true);
  bench_.lose_leaves("c-1", false);
  ASSERT_FALSE(look(record).members.at("c-1").certificate_expires.known());
  EXPECT_NE(outcome(plan::IssueCertificates{{"c-0", "c-1"}, true}, record), Outcome::kDone);
  const auto seen = look(record);
  EXPECT_TRUE(seen.members.at("c-1").certificate_expires.known());
  EXPECT_FALSE(seen.members.at("c-0").certificate_expires.known());
}

}  // namespace
}  // namespace conformance
