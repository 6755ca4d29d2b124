// A backup that etcd 3.5 wrote begins a cluster of 3.6. The shipped programs, real etcd, a
// directory as the store.
#include <fmt/format.h>

#include <filesystem>

#include "e2e/host/fixture.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class MinorTest : public ClusterTest {
 protected:
  [[nodiscard]] std::unique_ptr<etcd::EtcdApi> api() const {
    const auto access = sandbox_.access("c");
    return access ? etcd::connect(access->endpoints.front(), access->tls) : nullptr;
  }
  // The revision; 0: nobody took it.
  [[nodiscard]] std::int64_t put(const std::string& value) const {
    const auto asked = api();
    if (!asked) return 0;
    const auto wrote = asked->put("asked-for", value, base::Duration(10'000));
    return wrote ? *wrote : 0;
  }
  // Of the newest backup, as the status has it.
  [[nodiscard]] std::int64_t backed_up() const {
    return json::get_int(sandbox_.status("c"), "status.lastBackup.revision").value_or(0);
  }
};

TEST_F(MinorTest, ABackupOf35BeginsAClusterOf36) {
  const fs::path place = sandbox_.root() / "store";
  fs::create_directories(place);
  const auto local = fmt::format("local: {{path: {}}}\n", place.string());
  ASSERT_NO_FATAL_FAILURE(
      create(3, "3.5.12", "  backup:\n    backupPolicy:\n      storageSource:\n        " + local));
  const Written written = writer_->stop();
  const std::int64_t last = put("of 3.5");
  ASSERT_GT(last, 0);
  ASSERT_EQ(sandbox_.cli({"backup-now", "c"}).exit_code, 0);
  ASSERT_TRUE(eventually(120s, [&] { return backed_up() >= last; })) << say();
  const std::string before = id_of("c-0");

  sandbox_.write(".keep", "");
  sandbox_.remove("c.yaml");
  ASSERT_TRUE(eventually(90s, [&] {
    for (int ordinal = 0; ordinal < 3; ++ordinal)
      if (sandbox_.guard_pid("c", fmt::format("c-{}", ordinal)) > 0) return false;
    return sandbox_.cli({"status", "c"}).err.find("no cluster") != std::string::npos;
  })) << say();
  // The operator may be writing there.
  ASSERT_TRUE(eventually(60s, [&] {
    std::error_code busy;
    fs::remove_all(sandbox_.state() / "clusters" / "default" / "c", busy);
    return !busy;
  }));

  version_ = "3.6.16";
  more_ += "  restore:\n    restorePolicy:\n      " + local;
  declare(3);
  ASSERT_TRUE(eventually(150s, [&] { return sandbox_.settled("c", 3, version_); })) << say();
  EXPECT_EQ(sandbox_.condition("c", "Restored"), "True") << sandbox_.message("c", "Restored");
  EXPECT_NE(id_of("c-0"), before);
  expect_nothing_lost(sandbox_, "c", written);
  const auto asked = api();
  ASSERT_TRUE(asked);
  const auto got = asked->range("asked-for", "", false, 0, base::Duration(10'000));
  ASSERT_TRUE(got && got->kvs.size() == 1) << say();
  EXPECT_EQ(got->kvs[0].value, "of 3.5");
  // It goes on as one of 3.6: its records of members are in the form that 3.6 reads.
  ASSERT_GT(put("of 3.6"), got->revision);
  for (const auto& member : sandbox_.members("c")) sandbox_.kill_etcd("c", member.name);
  ASSERT_TRUE(eventually(120s, [&] {
    return sandbox_.settled("c", 3, version_) && put("after a restart") > 0;
  })) << say();
}

}  // namespace
}  // namespace e2e
