#include <algorithm>
#include <fstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

class AlarmTest : public VersionedTest {
 protected:
  std::unique_ptr<etcd::EtcdApi> link() const {
    const auto access = sandbox_.access("c");
    return access ? etcd::connect(access->endpoints.front(), access->tls) : nullptr;
  }
};

TEST_P(AlarmTest, NoSpaceIsHealedByCompactionAndDefragmentation) {
  create(3, GetParam(), "  etcdOptions:\n    - --quota-backend-bytes=16777216\n");
  ASSERT_FALSE(HasFatalFailure());
  const Written before = writer_->stop();
  ASSERT_TRUE(before.failed.empty());
  // The same few keys again and again: history fills the quota, live data does not.
  const auto api = link();
  ASSERT_TRUE(api);
  const std::string big(200 * 1024, 'x');
  bool full = false;
  for (int i = 0; i < 400 && !full; ++i) {
    const auto put = api->put("big/" + std::to_string(i % 8), big, base::Duration(5'000));
    full = !put && put.error().error.code == base::Code::kResourceExhausted;
  }
  ASSERT_TRUE(full) << "the quota was never reached";
  ASSERT_TRUE(eventually(120s, [&] {
    const auto now = link();
    return now && now->put("after", "healed", base::Duration(2'000)).has_value();
  })) << say();
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); })) << say();
  ASSERT_TRUE(eventually(60s, [&] {
    const auto now = link();
    if (!now) return false;
    const auto alarms = now->alarms(base::Duration(5'000));
    return alarms && alarms->empty();
  }));
  for (const char* reason : {"NoSpaceCompact", "NoSpaceDefragment", "NoSpaceDisarm"})
    EXPECT_TRUE(eventually(60s, [&] { return has_event(reason); }))
        << reason << " not in " << sandbox_.cli({"events", "c"}).out;
  expect_nothing_lost(sandbox_, "c", before);
}

TEST_P(AlarmTest, AMemberWithChangedBytesIsFoundAndReplaced) {
  const bool old = GetParam().starts_with("3.5");
  create(3, GetParam(),
         old ? "  etcdOptions:\n    - --experimental-compact-hash-check-time=2s\n"
             : "  etcdOptions:\n    - --compact-hash-check-time=2s\n");
  ASSERT_FALSE(HasFatalFailure());
  const std::string precious = "precious-value-000111222333444555666777888999";
  ASSERT_TRUE(link()->put("precious", precious, base::Duration(5'000)));
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(120s, [&] { return writer_->count() > count + 300; }));
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  ASSERT_EQ(sandbox_.cli({"pause", "c"}).exit_code, 0);
  sandbox_.kill_guard("c", member);
  const auto db = sandbox_.data_dir("c", member) / "member" / "snap" / "db";
  int changed = 0;
  {
    std::ifstream in(db, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    in.close();
    for (size_t at = bytes.find(precious); at != std::string::npos;
         at = bytes.find(precious, at + 1), ++changed)
      bytes[at] = 'P';
    std::ofstream(db, std::ios::binary | std::ios::trunc) << bytes;
  }
  ASSERT_GT(changed, 0) << "the value is not in the database file";
  ASSERT_EQ(sandbox_.cli({"resume", "c"}).exit_code, 0);
  ASSERT_TRUE(eventually(60s, [&] {
    return (sandbox_.etcd_pid("c", member) != 0 || id_now(member) != id) && settled(3);
  })) << say();
  // A check gives up where a member does not answer it at once: each compaction brings one.
  auto next = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually(150s, [&] {
    if (std::chrono::steady_clock::now() >= next) {
      next = std::chrono::steady_clock::now() + 10s;
      if (const auto api = link())
        if (const auto status = api->status(base::Duration(5'000)))
          static_cast<void>(api->compact(status->revision, true, base::Duration(10'000)));
    }
    const auto members = sandbox_.members("c");
    return settled(3) && !members.empty() &&
           std::ranges::none_of(members, [&](const auto& m) { return m.id == id; });
  })) << say();
  // From 3.6 on etcd's own check at the start may find it before any compaction.
  EXPECT_TRUE(eventually(60s, [&] {
    return has_event("CorruptReplace") || (!old && has_event("MemberDataLost"));
  })) << sandbox_.cli({"events", "c"}).out;
  finish();
}

std::vector<std::string> two() {
  return {"3.5.12", "3.6.16"};
}
INSTANTIATE_TEST_SUITE_P(Versions, AlarmTest, testing::ValuesIn(two()), version_name);

}  // namespace
}  // namespace e2e
