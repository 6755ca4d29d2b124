// Backups that are proven: the shipped programs, real etcd, a directory as the store.
#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "e2e/host/fixture.h"
#include "json/json.h"
#include "posix/files.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class DrillTest : public VersionedTest {
 protected:
  [[nodiscard]] fs::path store() const { return sandbox_.state() / "default" / "c" / "backups"; }
  [[nodiscard]] fs::path room() const {
    return sandbox_.state() / "clusters" / "default" / "c" / "jobs" / "drill" / "scratch" / "drill";
  }
  struct Row {
    bool verified = false, proven = false;
    std::string kept;
  };
  // By name, as the command shows them.
  std::map<std::string, Row> list() const {
    std::map<std::string, Row> out;
    const auto ran = sandbox_.cli({"archive", "list", "--store", store().string(), "-o", "json"});
    const auto rows = json::parse(ran.out);
    if (!rows || rows->if_array() == nullptr) return out;
    for (const auto& row : *rows->if_array())
      out[*json::get_string(row, "name")] = {*json::get_bool(row, "verified"),
                                             *json::get_bool(row, "proven"),
                                             json::get_string(row, "keptBecause").value_or("")};
    return out;
  }
  std::string newest() const {
    const auto status = sandbox_.status("c");
    const auto* place = status.at("status.lastBackup.location");
    const auto text = place == nullptr || place->if_string() == nullptr ? "" : *place->if_string();
    const auto life = text.rfind('/', text.rfind('/') - 1);
    return life == std::string::npos ? "" : text.substr(life + 1);
  }
  bool proven(const std::string& name) const {
    const auto all = list();
    return all.contains(name) && all.at(name).proven;
  }
  // Processes that work where drills do.
  std::vector<std::string> at_work() const {
    std::vector<std::string> out;
    for (const auto& at : fs::directory_iterator("/proc")) {
      std::error_code none;
      const auto where = fs::read_symlink(at.path() / "cwd", none);
      if (!none && where.string().starts_with(room().string()))
        out.push_back(at.path().filename().string());
    }
    return out;
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, DrillTest, testing::Values("3.5.12", "3.6.16"), version_name);

TEST_P(DrillTest, TheFirstBackupIsProvenADamagedOneIsToldAndReplaced) {
  ASSERT_NO_FATAL_FAILURE(create(1, GetParam(),
                                 "  backup:\n    backupPolicy:\n"
                                 "      backupIntervalInSecond: 3600\n      maxBackups: 2\n"
                                 "    verify:\n      intervalSeconds: 60\n"));
  EXPECT_FALSE(says("FieldsNotActedOn", "verify")) << say();
  EXPECT_EQ(sandbox_.cli({"backup-now", "c"}).exit_code, 0);
  // The operator dies while it goes on: its successor finds it and believes what it says.
  ASSERT_TRUE(eventually(90s, [&] { return fs::exists(room()); })) << say();
  sandbox_.kill_operator();
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(90s, [&] { return sandbox_.condition("c", "BackupProven") == "True"; }))
      << say();
  const std::string first = newest();
  EXPECT_TRUE(proven(first)) << first;
  EXPECT_TRUE(at_work().empty());
  EXPECT_FALSE(fs::exists(room()));
  EXPECT_TRUE(has_event("BackupProven"));

  // The next one is damaged in its store.
  EXPECT_EQ(sandbox_.cli({"backup-now", "c"}).exit_code, 0);
  ASSERT_TRUE(eventually(60s, [&] { return newest() != first; })) << say();
  const std::string second = newest();
  const auto file = (store() / (second + ".db.zst")).string();
  auto bytes = posix::read_file(file, size_t{64} << 20);
  ASSERT_TRUE(bytes) << bytes.error().text();
  (*bytes)[bytes->size() / 2] ^= 1;
  ASSERT_TRUE(posix::write_atomic(file, *bytes));
  bool told = false;
  ASSERT_TRUE(eventually(150s, [&] {
    told = told || (sandbox_.condition("c", "BackupProven") == "False" &&
                    sandbox_.reason("c", "BackupProven") == "BackupDamaged");
    return newest() != second && proven(newest());
  })) << say();
  EXPECT_TRUE(told || has_event("BackupDamaged"));
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "BackupProven") == "True"; }))
      << say();
  auto all = list();
  EXPECT_FALSE(all[second].verified) << "it is not counted as good";
  EXPECT_TRUE(all[first].verified && all[first].proven) << "a good one went for a damaged one";
  EXPECT_TRUE(at_work().empty());
  finish();
}

TEST_F(ClusterTest, AFleetBacksUpAFewAtATime) {
  sandbox_.start_operator({"--max-store-jobs", "1"});
  // The interval is longer than all three take, one after the other, on a slow machine.
  const std::string block = "  backup:\n    backupPolicy:\n      backupIntervalInSecond: 60\n";
  for (const char* name : {"a", "b", "c"})
    sandbox_.write(std::string(name) + ".yaml", manifest(name, 1, "3.6.16", block));
  ASSERT_TRUE(eventually(240s, [&] {
    return std::ranges::all_of(std::array{"a", "b", "c"}, [&](const char* name) {
      return sandbox_.condition(name, "BackupProven") == "True" &&
             sandbox_.condition(name, "BackupHealthy") == "True";
    });
  })) << say();
}

}  // namespace
}  // namespace e2e
