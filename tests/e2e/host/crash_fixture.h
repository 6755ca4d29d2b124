// A life of one cluster in which the operator dies at fault points: `step` starts it again whenever
// it is gone, armed with the points that this life has still to meet.
#pragma once

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "e2e/host/fixture.h"

namespace e2e {

// What each life provokes. Together they are every act there is: crash_test.cc compares them with
// the engine's own list.
inline const std::vector<std::string> kWholeLife{
    "load_record",    "save_record",     "observe",       "publish",    "PrepareMember",
    "StartMember",    "WriteTicket",     "OpenToClients", "PutAside",   "StopMember",
    "AddLearner",     "PromoteMember",   "RemoveMember",  "MoveLeader", "SnapshotSurvivor",
    "ExportSurvivor", "NewPeerAuthority"};
inline const std::vector<std::string> kFullAndUpgraded{"Compact", "Defragment", "DisarmAlarm",
                                                       "AdvanceLog", "RewriteMembers"};
inline const std::vector<std::string> kBegunAgainAndDeleted{"FetchBinary", "DiscardFormation",
                                                            "IssueCertificates", "DeleteCluster"};
inline const std::vector<std::string> kFetchedAndBackedUp{
    "FetchBackup", "StartBackup", "StartDrill", "StartFollower", "EndFollower"};

class CrashTest : public ClusterTest {
 protected:
  // Before and after each of these calls the operator dies once; at full depth once in each step
  // that comes to it.
  void die_around(const std::vector<std::string>& calls) {
    for (const auto& call : calls) all_.insert(all_.end(), {call + ".before", call + ".after"});
  }
  void arm(const std::vector<std::string>& points) {
    armed_ = points;
    log_from_ = sandbox_.operator_log().size();
  }
  // Starts the operator, armed anew, whenever it is gone, until the condition holds. It dies at the
  // first of the armed points that it comes to. Between two steps it runs unarmed, so that what is
  // read of the status there is not of a dead one.
  void step(const std::string& what, const std::function<bool()>& done) {
    sandbox_.kill_operator();
    arm(all_);
    if (!full_depth()) std::erase_if(armed_, [&](const auto& p) { return met_.contains(p); });
    step_as_armed(what, done);
    if (HasFatalFailure()) return;
    sandbox_.kill_operator();
    arm({});
    const size_t from = sandbox_.operator_log().size();
    ASSERT_TRUE(reach([&] {
      return sandbox_.operator_log().find("IntentChanged", from) != std::string::npos &&
             !with_role_now("leader").empty() && done();
    })) << what
        << ": " << say();
  }
  void step_as_armed(const std::string& what, const std::function<bool()>& done) {
    step_from_ = sandbox_.operator_log().size();
    ASSERT_TRUE(reach(done)) << what << ": " << say();
    note_hits();
    expect_one_process_each(sandbox_);
    fmt::print("{}: {} starts so far, {} points met\n", what, starts_, met_.size());
  }
  // Runs the operator until it dies at this point; it stays dead.
  void die_at(const std::string& point) {
    sandbox_.kill_operator();
    arm({point});
    start();
    ASSERT_TRUE(sandbox_.wait_operator(120s)) << point << " is not come to: " << say();
    note_hits();
    arm({});
    ASSERT_TRUE(met_.contains(point)) << sandbox_.operator_log();
  }
  // Since the step began, or the operator died in it, this call came to a good end.
  bool done_since_step(const std::string& call) const {
    const std::string log = sandbox_.operator_log();
    for (size_t at = step_from_; (at = log.find("action=", at)) != std::string::npos; ++at) {
      const std::string line = log.substr(at, log.find('\n', at) - at);
      if (line.find(call) != std::string::npos && line.find("outcome=done") != std::string::npos)
        return true;
    }
    return false;
  }
  bool logged_since_step(const std::string& words) const {
    return sandbox_.operator_log().find(words, step_from_) != std::string::npos;
  }
  void expect_all_met() {
    note_hits();
    for (const auto& point : all_) EXPECT_TRUE(met_.contains(point)) << point << " was not met";
  }
  void lose(const std::string& member) {
    ASSERT_TRUE(std::filesystem::exists(sandbox_.data_dir("c", member)) && !member.empty())
        << "no member to lose: '" << member << "'";
    std::filesystem::remove_all(sandbox_.data_dir("c", member));
    if (const pid_t pid = sandbox_.etcd_pid("c", member); pid > 0) kill(pid, SIGKILL);
  }

  std::vector<std::string> flags_;  // of every start

 private:
  bool reach(const std::function<bool()>& done) {
    return eventually(300s, [&] {
      if (!sandbox_.operator_runs()) start();
      return done();
    });
  }
  void start() {
    note_hits();
    expect_one_process_each(sandbox_);
    auto flags = flags_;
    for (const auto& point : armed_) flags.insert(flags.end(), {"--fault-point", point});
    sandbox_.start_operator(flags);
    ++starts_;
  }
  void note_hits() {
    const std::string log = sandbox_.operator_log();
    std::erase_if(armed_, [&](const std::string& point) {
      const bool hit = log.find("fault-point-hit " + point + "\n", log_from_) != std::string::npos;
      if (hit) met_.insert(point);
      return hit;
    });
  }

  std::vector<std::string> all_, armed_;
  std::set<std::string> met_;
  size_t log_from_ = 0, step_from_ = 0;  // of the operator's log
  int starts_ = 0;
};

}  // namespace e2e
