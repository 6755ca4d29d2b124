// Guards as transient units of a real systemd, which in_systemd has booted around this program.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

std::string unit_of(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/cgroup", pid));
  std::ostringstream text;
  text << in.rdbuf();
  const std::string all = text.str();
  const size_t at = all.find("/etcd-default-");
  const size_t end = all.find(".service", at);
  return at == std::string::npos || end == std::string::npos ? ""
                                                             : all.substr(at + 1, end + 8 - at - 1);
}

class SystemdTest : public ClusterTest {
 protected:
  void start() { sandbox_.start_operator({"--supervisor", "systemd"}); }
  bool is_unit(const std::string& member) {
    return unit_of(sandbox_.guard_pid("c", member)).starts_with("etcd-default-" + member + "-") &&
           unit_of(sandbox_.etcd_pid("c", member)) == unit_of(sandbox_.guard_pid("c", member));
  }
  bool runs_anew(const std::string& member, pid_t before) {
    const pid_t now = sandbox_.etcd_pid("c", member);
    return now > 0 && now != before && settled(3);
  }
};

TEST_F(SystemdTest, MembersAreUnitsThatAreAdoptedAndComeBack) {
  if (const char* why = std::getenv("EO_NO_SYSTEMD"); why != nullptr) {
    RecordProperty("not_run", why);
    return;
  }
  start();
  declare(3, "3.5.12");
  ASSERT_TRUE(eventually(90s, [&] { return settled(3); })) << say();
  start_writer();
  std::map<std::string, pid_t> pids;
  for (const std::string member : {"c-0", "c-1", "c-2"}) {
    EXPECT_TRUE(is_unit(member)) << unit_of(sandbox_.guard_pid("c", member));
    pids[member] = sandbox_.etcd_pid("c", member);
  }

  // They are no part of the operator's own unit, and are found again.
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  start();
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.cli({"plan", "c"}).exit_code == 0; }));
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); })) << say();
  for (const auto& [member, pid] : pids) EXPECT_EQ(sandbox_.etcd_pid("c", member), pid) << member;

  // A guard that is killed leaves a failed unit, a unit that a person stops leaves none; both
  // members come back under the same name and with their data.
  const std::string id = id_of("c-1");
  sandbox_.kill_guard("c", "c-1");
  ASSERT_TRUE(eventually(60s, [&] { return runs_anew("c-1", pids["c-1"]); })) << say();
  EXPECT_TRUE(is_unit("c-1"));
  EXPECT_EQ(id_of("c-1"), id);
  const std::string unit = unit_of(sandbox_.guard_pid("c", "c-2"));
  ASSERT_EQ(std::system(("systemctl stop " + unit).c_str()), 0);
  ASSERT_TRUE(eventually(60s, [&] { return runs_anew("c-2", pids["c-2"]); })) << say();
  EXPECT_EQ(unit_of(sandbox_.guard_pid("c", "c-2")), unit);
  finish();

  EXPECT_EQ(sandbox_.cli({"stop", "--all"}, 60s).exit_code, 0);
  EXPECT_TRUE(sandbox_.wait_operator(60s));
  for (const auto& [member, pid] : pids) EXPECT_EQ(sandbox_.etcd_pid("c", member), 0) << member;
}

}  // namespace
}  // namespace e2e
