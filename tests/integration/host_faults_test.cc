// What goes wrong on a machine, with real etcd processes: nothing acknowledged is lost, and what
// cannot be known is not guessed.
#include <sys/resource.h>

#include "integration/host_cluster.h"

namespace integration {
namespace {

class HostFaultsTest : public HostCluster {
 protected:
  void SetUp() override {
    HostCluster::SetUp();
    intent_.cluster.spec.recovery.wait = 1s;
    ASSERT_TRUE(run_until([&] { return healthy(3); }));
    ASSERT_TRUE(put("a", "1"));
    expect_everywhere("a", "1");
    before_ = record();
    for (const auto& [name, member] : before_.members) names_.push_back(name);
  }
  void copy(const std::string& from, const std::string& to) {
    ASSERT_TRUE(posix::remove_tree(to));
    const auto done = posix::run({{"/bin/cp", "-a", from, to}, {}, "/"}, {}, {});
    ASSERT_TRUE(done && done->exit_code == 0);
  }
  // The member was replaced, and the writes are there.
  void expect_replaced(const std::string& name) {
    ASSERT_TRUE(run_until([&] { return healthy(3) && !record().members.contains(name); }));
    expect_everywhere("a", "1");
  }
  plan::Record recovering(const std::string& operation, const std::string& survivor) {
    plan::Record out = before_;
    out.recovery.emplace();
    out.recovery->operation = operation;
    out.recovery->survivor = survivor;
    out.recovery->old_incarnation = out.incarnation;
    return out;
  }
  bool needs_approval() {
    const auto* c = api::find_condition(status(), api::ConditionType::kNeedsApproval);
    return c != nullptr && c->status == api::Truth::kTrue;
  }
  static void disk_full(bool on) {
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

  plan::Record before_;
  std::vector<std::string> names_;
};

TEST_F(HostFaultsTest, DataOfAnotherMemberIsRefusedAndReplaced) {
  kill_member(names_[0]);
  kill_member(names_[1]);
  copy(files(names_[1]).data, files(names_[0]).data);
  expect_replaced(names_[0]);
}

TEST_F(HostFaultsTest, AnOlderCopyIsRefusedAndReplaced) {
  ASSERT_TRUE(run_until([&] {
    kill_member(names_[0]);
    return true;
  }));
  copy(files(names_[0]).data, files(names_[0]).dir + "/older");
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(put("b", std::to_string(i)));
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  kill_member(names_[0]);
  copy(files(names_[0]).dir + "/older", files(names_[0]).data);
  expect_replaced(names_[0]);
  expect_everywhere("b", "19");
}

TEST_F(HostFaultsTest, AllKilledAtOnceComeBackWithTheirData) {
  for (const auto& name : names_) kill_member(name);
  end();
  begin();
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  expect_everywhere("a", "1");
  for (const auto& name : names_)
    EXPECT_EQ(record().members.at(name).id, before_.members.at(name).id);
}

TEST_F(HostFaultsTest, ASurvivorThatIsStoppedIsReadFromItsVolume) {
  for (const auto& name : names_) kill_member(name);
  for (size_t i = 0; i < 2; ++i) ASSERT_TRUE(posix::remove_tree(files(names_[i]).data));
  ASSERT_TRUE(run_until([&] { return healthy(3) && record().epoch > before_.epoch; }));
  expect_everywhere("a", "1");
  EXPECT_NE(record().cluster_id, before_.cluster_id);
}

TEST_F(HostFaultsTest, AnExportTakesAsLongAsItsDataNeeds) {
  for (const auto& name : names_) kill_member(name);
  const auto record = recovering("op-1", names_[2]);
  // However little time a step usually has.
  const auto done = driver_->apply({plan::ExportSurvivor{names_[2]}, plan::Reason::kRecovering},
                                   {intent_, record, 1ms}, {});
  EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  EXPECT_EQ(driver_->observe({intent_, record}, false, {}).survivor_snapshot,
            base::Fact<bool>(true));
}

TEST_F(HostFaultsTest, WhatWasReadBeforeAFenceStandsInForAVolumeThatIsGone) {
  for (const auto& name : names_) kill_member(name);
  const std::string& survivor = names_[2];
  auto record = recovering("op-1", survivor);
  const auto look = [&] { return driver_->observe({intent_, record}, false, {}); };
  const auto do_it = [&](const plan::Action& action) {
    return driver_->apply({action, plan::Reason::kRecovering}, {intent_, record}, {});
  };
  auto done = do_it(plan::ExportSurvivor{survivor});
  ASSERT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  const std::string bound = look().survivor_bound;
  const plan::Record given_up = record;
  record.incarnation = "i-2";
  done = do_it(plan::NewPeerAuthority{});
  ASSERT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  ASSERT_TRUE(posix::remove_tree(files(survivor).dir));

  // In a record in which the old incarnation is in force it may have run since.
  record = given_up;
  record.recovery->operation = "op-2";
  EXPECT_EQ(do_it(plan::ExportSurvivor{survivor}).outcome, plan::Outcome::kRefused);
  record.members.at(survivor).phase = plan::Phase::kSurvivor;
  done = do_it(plan::ExportSurvivor{survivor});
  EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));
  EXPECT_EQ(look().survivor_bound, bound);
  // And for the try after that, also if its place is there again without data.
  record.recovery->operation = "op-3";
  ASSERT_TRUE(posix::make_dirs(files(survivor).data));
  ASSERT_TRUE(posix::write_atomic(files(survivor).lock, ""));
  done = do_it(plan::ExportSurvivor{survivor});
  EXPECT_EQ(done.outcome, plan::Outcome::kDone) << done.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));
}

TEST_F(HostFaultsTest, ASnapshotOfARunningSurvivorCountsOnlyForWhatItHolds) {
  const std::string& survivor = names_[2];
  for (size_t i = 0; i < 2; ++i) kill_member(names_[i]);
  auto record = recovering("op-1", survivor);
  const auto look = [&] { return driver_->observe({intent_, record}, false, {}); };
  const auto do_it = [&](const plan::Action& action) {
    return driver_->apply({action, plan::Reason::kRecovering}, {intent_, record}, {});
  };
  const auto saved = do_it(plan::SnapshotSurvivor{survivor});
  ASSERT_EQ(saved.outcome, plan::Outcome::kDone) << saved.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));
  kill_member(survivor);
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(false)) << "its log may go further";

  // Its volume is of no use; the log is read and goes no further.
  ASSERT_TRUE(posix::write_atomic(files(survivor).data + "/member/snap/db", "no database"));
  auto failed = do_it(plan::ExportSurvivor{survivor});
  EXPECT_EQ(failed.outcome, plan::Outcome::kRefused);
  EXPECT_TRUE(failed.damaged);
  EXPECT_NE(failed.text.find("invalid database"), std::string::npos) << failed.text;
  EXPECT_NE(failed.text.find("holds its whole log"), std::string::npos) << failed.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));

  // As if it had been taken earlier: what it lacks is said, and it does not count by itself.
  const auto at = host::recovery_files(platform_->files(intent_.cluster.key), "op-1");
  ASSERT_TRUE(posix::remove_file(at.usable));
  ASSERT_TRUE(posix::write_atomic(at.running, survivor + " " + record.incarnation + " 3"));
  failed = do_it(plan::ExportSurvivor{survivor});
  EXPECT_NE(failed.text.find("lacks the entries 4 to "), std::string::npos) << failed.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(false));

  record = recovering("op-2", survivor);
  (void)do_it(plan::ExportSurvivor{survivor});
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(false)) << "nobody has approved it";
  record.recovery->approved = true;
  failed = do_it(plan::ExportSurvivor{survivor});
  EXPECT_NE(failed.text.find("is used, as approved, without the entries 4 to "), std::string::npos)
      << failed.text;
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));
  EXPECT_NE(look().survivor_bound.find("without the entries 4 to "), std::string::npos)
      << look().survivor_bound;

  // Nothing better can come when the volume is gone: it is used, and what it may lack is said.
  ASSERT_TRUE(posix::remove_file(
      host::recovery_files(platform_->files(intent_.cluster.key), "op-2").usable));
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(false));
  ASSERT_TRUE(posix::remove_tree(files(survivor).data));
  EXPECT_EQ(look().survivor_snapshot, base::Fact<bool>(true));
  EXPECT_NE(look().survivor_bound.find("its log is gone with its volume"), std::string::npos)
      << look().survivor_bound;
}

TEST_F(HostFaultsTest, WithApproveARecoveryWaitsForAPerson) {
  intent_.cluster.spec.recovery.on_quorum_loss = api::OnQuorumLoss::kApprove;
  for (size_t i = 0; i < 2; ++i) {
    kill_member(names_[i]);
    ASSERT_TRUE(posix::remove_tree(files(names_[i]).data));
  }
  ASSERT_TRUE(run_until([&] { return needs_approval(); }));
  EXPECT_EQ(record().epoch, before_.epoch);
  ASSERT_TRUE(record().operation) << words();
  intent_.approvals = {{record().operation->id, clock_.now() + 1h}};
  ASSERT_TRUE(run_until([&] { return healthy(3) && record().epoch > before_.epoch; }));
  expect_everywhere("a", "1");
}

TEST_F(HostFaultsTest, AllDataLostIsNeverASilentEmptyCluster) {
  for (const auto& name : names_) {
    kill_member(name);
    ASSERT_TRUE(posix::remove_tree(files(name).data));
  }
  ASSERT_TRUE(run_until([&] { return needs_approval(); }));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(reconciler_->pass(intent_, {}));
  EXPECT_TRUE(needs_approval()) << words();
  for (const auto& name : names_)
    EXPECT_EQ(posix::list_dir(files(name).data + "/member/wal").has_value(), false) << name;
}

TEST_F(HostFaultsTest, DataThatIsBroughtBackCountsByItself) {
  for (const auto& name : names_) {
    kill_member(name);
    ASSERT_TRUE(posix::rename(files(name).data, scratch_.root() + "/" + name));
  }
  ASSERT_TRUE(run_until([&] { return needs_approval(); }));
  for (const auto& name : names_)
    ASSERT_TRUE(posix::rename(scratch_.root() + "/" + name, files(name).data));
  ASSERT_TRUE(run_until([&] { return healthy(3) && !needs_approval(); }));
  expect_everywhere("a", "1");
  EXPECT_EQ(record().cluster_id, before_.cluster_id);
  for (const auto& name : names_)
    EXPECT_EQ(record().members.at(name).id, before_.members.at(name).id);
}

TEST_F(HostFaultsTest, ATornRecordIsRebuiltFromTheMembersThatAgree) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  const auto path = platform_->files(intent_.cluster.key).record;
  end();
  ASSERT_TRUE(posix::write_atomic(path, "format 1\n{\"key\":"));
  begin();
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(record().cluster_id, before_.cluster_id);
  EXPECT_EQ(record().incarnation, before_.incarnation);
  for (const auto& name : names_) {
    EXPECT_EQ(record().members.at(name).id, before_.members.at(name).id);
    EXPECT_EQ(record().members.at(name).addresses, before_.members.at(name).addresses);
  }
  expect_everywhere("a", "1");
}

TEST_F(HostFaultsTest, ATornRecordWithMembersThatDisagreeIsRefused) {
  const auto path = platform_->files(intent_.cluster.key).record;
  end();
  ASSERT_TRUE(posix::write_atomic(path, "format 1\n{\"key\":"));
  ASSERT_TRUE(posix::remove_file(files(names_[0]).ticket));
  begin();
  ASSERT_TRUE(reconciler_->pass(intent_, {}));
  EXPECT_EQ(reconciler_->last()->seen.record_state, plan::RecordState::kTorn);
  EXPECT_TRUE(reconciler_->last()->plan.steps.empty());
  EXPECT_NE(words().find(names_[0]), std::string::npos) << words();
}

TEST_F(HostFaultsTest, AFullDiskIsSaidAndNothingIsLost) {
  intent_.cluster.spec.size = 5;
  disk_full(true);
  for (int i = 0; i < 3; ++i) (void)reconciler_->pass(intent_, {});
  disk_full(false);
  EXPECT_NE(words().find("StateNotStored"), std::string::npos) << words();
  EXPECT_EQ(reconciler_->last()->plan.steps.size(), 0U);
  intent_.cluster.spec.size = 3;
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(words().find("StateNotStored"), std::string::npos) << words();
  expect_everywhere("a", "1");
}

TEST_F(HostFaultsTest, CertificatesOfMinutesAreRenewedWhileTheClusterServes) {
  const auto expiry = [&] {
    return *reconciler_->last()->seen.members.at(names_[0]).certificate_expires;
  };
  const auto old = expiry();
  intent_.cluster.spec.tls.validity = 24h * 30;
  // What runs out is made to look so: leaves of a moment, issued by the driver itself.
  api::Tls brief = intent_.cluster.spec.tls;
  brief.validity = 3s;
  plan::Intent shorter = intent_;
  shorter.cluster.spec.tls = brief;
  const plan::Record now = record();
  ASSERT_EQ(driver_
                ->apply({plan::IssueCertificates{names_, true}, plan::Reason::kCertificateRenewal},
                        {shorter, now}, {})
                .outcome,
            plan::Outcome::kDone);
  ASSERT_TRUE(run_until([&] { return expiry() > clock_.now() + 1h && expiry() < old; }));
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "2"));
  expect_everywhere("a", "2");
}

}  // namespace
}  // namespace integration
