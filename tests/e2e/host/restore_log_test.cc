// All data is lost behind the last backup: the log between backups brings it back. The shipped
// programs, real etcd, a directory as the store.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "e2e/host/fixture.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class RestoreLogTest : public ClusterTest {
 protected:
  [[nodiscard]] fs::path store() const { return sandbox_.state() / "default" / "c" / "backups"; }
  // The last revision that can be brought back; 0: none.
  [[nodiscard]] std::int64_t reached() const {
    const auto ran = sandbox_.cli(
        {"archive", "list", "--store", store().string(), "--history", "-o", "json"}, 60s);
    const auto rows = json::parse(ran.out);
    std::int64_t out = 0;
    if (rows && rows->if_array() != nullptr)
      for (const auto& row : *rows->if_array())
        out = std::max(out, json::get_int(row, "toRevision").value_or(0));
    return out;
  }
  [[nodiscard]] std::int64_t put(const std::string& value) const {
    const auto access = sandbox_.access("c");
    if (!access) return 0;
    const auto api = etcd::connect(access->endpoints.front(), access->tls);
    const auto wrote = api->put("asked-for", value, base::Duration(10'000));
    return wrote ? *wrote : 0;
  }
  // Of the newest backup, as the status has it.
  [[nodiscard]] std::int64_t backed_up() const {
    return json::get_int(sandbox_.status("c"), "status.lastBackup.revision").value_or(0);
  }
};

TEST_F(RestoreLogTest, WhatWasWrittenBehindTheLastBackupComesBackWhenAllIsLost) {
  ASSERT_NO_FATAL_FAILURE(create(1, "3.6.16",
                                 "  recovery:\n    onDataLoss: Restore\n    waitSeconds: 5\n"
                                 "  backup:\n    backupPolicy:\n"
                                 "      backupIntervalInSecond: 3600\n"
                                 "    continuous:\n      maxLagSeconds: 1\n"));
  ASSERT_TRUE(eventually(90s, [&] {
    return sandbox_.condition("c", "BackupContinuous") == "True" && backed_up() > 0;
  })) << say();
  const size_t so_far = writer_->count();
  ASSERT_TRUE(eventually(60s, [&] { return writer_->count() > so_far + 50; })) << say();
  const Written written = writer_->stop();
  const std::int64_t last = put("behind the last backup");
  ASSERT_GT(last, backed_up());
  ASSERT_TRUE(eventually(60s, [&] { return reached() >= last; })) << reached() << " of " << last;

  const auto lost = sandbox_.members("c");
  ASSERT_EQ(lost.size(), 1U);
  const pid_t etcd = sandbox_.etcd_pid("c", lost[0].name);
  ASSERT_GT(etcd, 0);
  fs::remove_all(sandbox_.data_dir("c", lost[0].name));
  (void)kill(etcd, SIGKILL);  // it may have ended by itself
  ASSERT_TRUE(eventually(150s, [&] {
    const auto now = sandbox_.members("c");
    return settled(1) && now.size() == 1 && now[0].id != lost[0].id;
  })) << say();
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "Restored") == "True"; }))
      << say();
  expect_nothing_lost(sandbox_, "c", written);
  const auto access = sandbox_.access("c");
  ASSERT_TRUE(access);
  const auto api = etcd::connect(access->endpoints.front(), access->tls);
  const auto got = api->range("asked-for", "", false, 0, base::Duration(10'000));
  ASSERT_TRUE(got && got->kvs.size() == 1) << say();
  EXPECT_EQ(got->kvs[0].value, "behind the last backup");
  // What was lost is told by the revision and the time that came back.
  const std::string told = fmt::format("of revision {}, as of 20", last);
  EXPECT_TRUE(says("Restored", told)) << sandbox_.message("c", "Restored");
  EXPECT_NE(sandbox_.cli({"events", "c"}).out.find(told), std::string::npos);
}

}  // namespace
}  // namespace e2e
