// A cluster that serves goes back to a revision, and from there to its safety copy: shipped
// programs, real etcd, operators killed on the way.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "e2e/host/fixture.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class InPlaceTest : public ClusterTest {
 protected:
  static constexpr int kOk = 0, kWrong = 2, kForbidden = 4;  // exit codes
  using Keys = std::map<std::string, std::string>;

  [[nodiscard]] fs::path cluster_dir() const { return sandbox_.state() / "clusters/default/c"; }
  [[nodiscard]] std::string store() const {
    return (sandbox_.state() / "default" / "c" / "backups").string();
  }
  [[nodiscard]] std::unique_ptr<etcd::EtcdApi> client() const {
    const auto access = sandbox_.access("c");
    return access ? etcd::connect(access->endpoints.front(), access->tls) : nullptr;
  }
  [[nodiscard]] std::int64_t put(const std::string& key, const std::string& value) const {
    const auto wrote = client()->put(key, value, base::Duration(10'000));
    EXPECT_TRUE(wrote) << key;
    return wrote ? *wrote : 0;
  }
  // All that the cluster holds, or held at a revision (0: now).
  [[nodiscard]] Keys all_keys(std::int64_t revision = 0) const {
    Keys out;
    const auto got = client()->range(std::string(1, '\0'), std::string(1, '\0'), false, revision,
                                     base::Duration(20'000));
    EXPECT_TRUE(got) << "at revision " << revision;
    if (got)
      for (const auto& kv : got->kvs) out[kv.key] = kv.value;
    return out;
  }
  // The last revision that can be brought back; 0: none.
  [[nodiscard]] std::int64_t reached() const {
    const auto ran =
        sandbox_.cli({"archive", "list", "--store", store(), "--history", "-o", "json"}, 60s);
    const auto rows = json::parse(ran.out);
    std::int64_t out = 0;
    if (rows && rows->if_array() != nullptr)
      for (const auto& row : *rows->if_array())
        out = std::max(out, json::get_int(row, "toRevision").value_or(0));
    return out;
  }
  using Ids = std::set<std::string>;
  // By one look; those whose id it did not see are left out.
  [[nodiscard]] Ids ids() const {
    Ids out;
    for (const auto& m : sandbox_.members("c"))
      if (!m.id.empty()) out.insert(m.id);
    return out;
  }
  [[nodiscard]] Ids three() const {
    Ids out;
    EXPECT_TRUE(eventually(60s, [&] { return (out = ids()).size() == 3; })) << say();
    return out;
  }
  [[nodiscard]] bool has_begun_again(const Ids& before) const {
    const Ids now = ids();
    return now.size() == 3 && settled(3) &&
           std::ranges::none_of(now, [&](const auto& id) { return before.contains(id); });
  }
  // Kills the operator when its events hold these words.
  void kill_at(const std::string& words) {
    EXPECT_TRUE(eventually(90s, [&] { return has_event(words); })) << words << "\n" << say();
    sandbox_.kill_operator();
    sandbox_.start_operator();
  }
  // Of the safety copy, as the condition Restored has it.
  [[nodiscard]] std::string safety_copy() const {
    const auto text = sandbox_.message("c", "Restored");
    const auto at = text.rfind("/full-");
    if (at == std::string::npos) return "";
    const auto life = text.rfind('/', at - 1);
    return text.substr(life + 1);
  }
  [[nodiscard]] std::size_t put_aside() const {
    std::error_code none;
    std::size_t out = 0;
    for (fs::directory_iterator it(cluster_dir() / "retained", none), end; !none && it != end; ++it)
      if (fs::exists(it->path() / "volume")) ++out;
    return out;
  }
};

TEST_F(InPlaceTest, AClusterGoesBackToARevisionAndFromThereToItsSafetyCopy) {
  ASSERT_NO_FATAL_FAILURE(create(3, "3.6.16",
                                 "  backup:\n    backupPolicy:\n"
                                 "      backupIntervalInSecond: 3600\n"
                                 "    continuous:\n      maxLagSeconds: 1\n"));
  ASSERT_TRUE(eventually(120s, [&] {
    return sandbox_.condition("c", "BackupContinuous") == "True" && reached() > 0;
  })) << say();
  const std::int64_t point = put("asked-for", "before");
  const size_t so_far = writer_->count();
  ASSERT_TRUE(eventually(60s, [&] { return writer_->count() > so_far + 50; })) << say();
  (void)writer_->stop();
  ASSERT_GT(put("asked-for", "after"), point);
  const std::int64_t last = put("only-later", "x");
  const Keys then = all_keys(point), late = all_keys();
  ASSERT_EQ(then.at("asked-for"), "before");
  ASSERT_GT(late.size(), then.size());
  ASSERT_TRUE(eventually(60s, [&] { return reached() >= last; })) << reached() << " of " << last;

  // What is not there: it is said, and the cluster serves on.
  const Ids first = three();
  auto asked = sandbox_.cli(
      {"restore", "c", "--in-place", "--to-revision", std::to_string(last + 1'000'000)});
  ASSERT_EQ(asked.exit_code, kOk) << asked.err;
  ASSERT_TRUE(eventually(90s, [&] { return has_event("RestoreRefused"); })) << say();
  EXPECT_TRUE(eventually(60s, [&] { return settled(3) && ids() == first; })) << say();
  EXPECT_EQ(all_keys(), late);

  asked = sandbox_.cli({"restore", "c", "--in-place", "--to-revision", std::to_string(point)});
  ASSERT_EQ(asked.exit_code, kOk) << asked.err;
  kill_at("a safety copy of what the cluster holds is taken");
  kill_at("the members stop, and what they hold is kept");
  ASSERT_TRUE(eventually(180s, [&] { return has_begun_again(first); })) << say();
  ASSERT_TRUE(says("Restored", fmt::format("of revision {}, as of 20", point)))
      << sandbox_.message("c", "Restored");
  EXPECT_EQ(all_keys(), then);
  EXPECT_EQ(put_aside(), 3U) << "what the old members held is kept";
  expect_one_process_each(sandbox_);

  // It is done once, whoever looks.
  const Ids second = three();
  sandbox_.kill_operator();
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(60s, [&] { return settled(3) && ids() == second; })) << say();

  const auto copy = safety_copy();
  ASSERT_NE(copy, "") << sandbox_.message("c", "Restored");
  EXPECT_EQ(sandbox_.cli({"archive", "verify", copy, "--store", store()}, 60s).exit_code, 0);
  asked = sandbox_.cli({"restore", "c", "--in-place", "--backup", copy});
  ASSERT_EQ(asked.exit_code, kOk) << asked.err;
  ASSERT_TRUE(eventually(180s, [&] { return has_begun_again(second); })) << say();
  EXPECT_EQ(all_keys(), late);
  EXPECT_EQ(put_aside(), 6U);
}

TEST_F(InPlaceTest, WhatIsWrongIsToldAtOnce) {
  ASSERT_NO_FATAL_FAILURE(create(1, "3.6.16"));
  const auto no_block = sandbox_.cli({"restore", "c", "--in-place"});
  EXPECT_EQ(no_block.exit_code, kForbidden);
  EXPECT_NE(no_block.err.find("spec.backup"), std::string::npos) << no_block.err;
  const auto bare = sandbox_.cli({"restore", "c"});
  EXPECT_EQ(bare.exit_code, kWrong);
  EXPECT_NE(bare.err.find("--in-place"), std::string::npos) << bare.err;
  const auto zero = sandbox_.cli({"restore", "c", "--in-place", "--to-revision", "0"});
  EXPECT_EQ(zero.exit_code, kWrong);
  EXPECT_NE(zero.err.find("--to-revision: '0' is not allowed: 1 to"), std::string::npos)
      << zero.err;
  (void)finish();
}

}  // namespace
}  // namespace e2e
