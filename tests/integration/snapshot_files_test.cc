// Snapshots of real etcd: judged as etcd's own tools judge them, hashed as the member that they
// came from, written anew and served by an etcd again.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"
#include "json/json.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/writer.h"
#include "support/etcd_process.h"

namespace {

using base::Code;
using support::EtcdProcess;
using support::TestCluster;

constexpr base::Duration kCall{20'000};
constexpr size_t kMaxFile = size_t{64} << 20;

std::vector<std::string> versions() {
  std::vector<std::string> out{"3.5.12", "3.5.33", "3.6.16", "3.7.3"};
  const char* depth = std::getenv("EO_DEPTH");
  if (depth != nullptr && std::string_view(depth) == "full") out.emplace_back("3.4.23");
  return out;
}

// Its standard output; a failure ends the test with what it said.
std::string run(const std::string& version, const std::string& program,
                std::vector<std::string> args) {
  const auto path = support::etcd_binary(version, program);
  if (!path) {
    ADD_FAILURE() << path.error().text();
    return {};
  }
  args.insert(args.begin(), *path);
  const auto result = posix::run({.argv = args, .env = {"ETCDCTL_API=3"}}, {}, {});
  if (!result || result->exit_code != 0)
    ADD_FAILURE() << program << " " << args[1] << " " << (args.size() > 2 ? args[2] : "") << ": "
                  << (result ? result->out + result->err : result.error().text());
  return result ? result->out : std::string();
}

bolt::FileSource open(const std::string& path) {
  auto source = bolt::FileSource::open(path);
  if (!source) throw std::runtime_error(source.error().text());
  return *std::move(source);
}

bool has_etcdutl(const std::string& version) {
  return !version.starts_with("3.4");
}
bool counts_live_keys(const std::string& version) {
  return version >= "3.6";
}

class SnapshotFiles : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    cluster_ = std::make_unique<TestCluster>(GetParam(), 1, false);
    ASSERT_EQ(cluster_->error, "");
    api_ = cluster_->members[0]->connect();
  }
  std::string ctl(std::vector<std::string> args) {
    args.insert(args.begin(), "--endpoints=" + cluster_->members[0]->client_url());
    return run(GetParam(), "etcdctl", std::move(args));
  }
  void put(const std::string& key, const std::string& value) {
    const auto done = api_->put(key, value, kCall);
    if (!done) ADD_FAILURE() << done.error().error.text();
  }
  // Puts, deletions of many keys in one revision, leases, large values.
  void work(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      for (int n = 0; n < 12; ++n)
        put("/app/" + std::to_string((i * 7 + n * 5) % 60), std::string(1U << n, 'v'));
      put("/large/" + std::to_string(i % 3), std::string(300'000, static_cast<char>('a' + i % 26)));
      if (i % 4 == 3) ctl({"del", "--prefix", "/app/" + std::to_string(1 + i % 5)});
    }
    const std::string lease = ctl({"lease", "grant", "3600"}).substr(6, 16);
    ctl({"put", "/leased", "1", "--lease=" + lease});
    const std::string gone = ctl({"lease", "grant", "3600"}).substr(6, 16);
    for (const char* key : {"/gone/a", "/gone/b"}) ctl({"put", key, "1", "--lease=" + gone});
    ctl({"lease", "revoke", gone});
    ++leases_;
  }
  std::int64_t revision() { return api_->status(kCall)->revision; }
  std::string save(const std::string& name) {
    std::string path = cluster_->dir.root() + "/" + name;
    ctl({"snapshot", "save", path});
    return path;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return cluster_->dir.root() + "/" + name;
  }
  void expect_as_etcd_says(const std::string& file, const bolt::SnapshotFacts& facts);
  void expect_hashes(const std::string& file, std::int64_t from, std::int64_t to, EtcdProcess& of);

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<etcd::EtcdApi> api_;
  unsigned leases_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Versions, SnapshotFiles, testing::ValuesIn(versions()),
                         [](const auto& param) {
                           std::string name = "v" + param.param;
                           for (auto& c : name)
                             if (c == '.') c = '_';
                           return name;
                         });

void SnapshotFiles::expect_as_etcd_says(const std::string& file, const bolt::SnapshotFacts& facts) {
  const std::string& version = GetParam();
  const auto status = json::parse(run(version, has_etcdutl(version) ? "etcdutl" : "etcdctl",
                                      {"snapshot", "status", file, "--write-out=json"}));
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_EQ(*json::get_uint(*status, "hash"), facts.crc);
  EXPECT_EQ(*json::get_int(*status, "revision"), facts.revision);
  EXPECT_EQ(*json::get_uint(*status, "totalKey"),
            counts_live_keys(version) ? facts.live_keys : facts.items);
  EXPECT_EQ(*json::get_uint(*status, "totalSize"), facts.database_bytes);
  const auto* stored = status->find("version");
  EXPECT_EQ(stored == nullptr ? "" : *stored->if_string(), facts.content.storage_version);
}

// What the member answers, computed from the file with the compacted revision of the answer.
void SnapshotFiles::expect_hashes(const std::string& file, std::int64_t from, std::int64_t to,
                                  EtcdProcess& of) {
  const auto api = of.connect();
  const auto source = open(file);
  const auto database = bolt::Database::open(source, source.size() / 512 * 512);
  ASSERT_TRUE(database) << database.error().text();
  int compared = 0;
  for (std::int64_t at = from; at <= to; at += at + 9 < to && at > from + 5 ? 9 : 1) {
    const auto live = api->hash_kv(at, kCall);
    ASSERT_TRUE(live) << live.error().text();
    const auto ours = bolt::hash_kv(
        *database, {.revision = at, .compact_revision = live->compact_revision, .sip = {1, 2}});
    ASSERT_TRUE(ours) << at << ": " << ours.error().text();
    EXPECT_EQ(ours->hash, live->hash) << "at " << at << ", compacted " << live->compact_revision;
    ++compared;
  }
  EXPECT_GT(compared, 5);
}

TEST_P(SnapshotFiles, FactsAndHashesAreThoseOfEtcd) {
  work(12);
  const std::int64_t early = revision();
  const std::string before = save("before.db");
  const auto compacted = early / 2;
  ASSERT_TRUE(api_->compact(compacted, true, kCall));
  work(6);
  ctl({"user", "add", "root:secret"});
  const std::int64_t late = revision();
  const std::string after = save("after.db");

  const auto first = bolt::verify(open(before));
  ASSERT_TRUE(first) << first.error().text();
  expect_as_etcd_says(before, *first);
  EXPECT_EQ(first->revision, early);
  EXPECT_EQ(first->content.compact_revision(), 0);
  EXPECT_EQ(first->hash->compact_revision, -1);
  EXPECT_EQ(first->content.leases, 1U);
  EXPECT_GT(first->tombstones, 5U);

  const auto second = bolt::verify(open(after));
  ASSERT_TRUE(second) << second.error().text();
  expect_as_etcd_says(after, *second);
  EXPECT_EQ(second->revision, late);
  const auto& content = second->content;
  EXPECT_EQ(content.compact_revision(), compacted);
  EXPECT_EQ(content.leases, leases_);
  EXPECT_EQ(content.users, 1U);
  EXPECT_FALSE(content.auth_enabled);
  EXPECT_TRUE(content.alarms.empty());
  const auto members = api_->member_list(true, kCall);
  ASSERT_TRUE(members);
  ASSERT_EQ(content.members.size(), 1U);
  EXPECT_EQ(content.members[0].id, members->members[0].id);
  EXPECT_EQ(content.members[0].name, "m0");
  EXPECT_EQ(content.members[0].peer_urls, members->members[0].peer_urls);
  // 3.5.12 does not store them.
  if (GetParam() != "3.5.12")
    EXPECT_EQ(content.members[0].client_urls, members->members[0].client_urls);
  const std::string minor = GetParam().substr(0, 3);
  EXPECT_EQ(content.cluster_version, minor + ".0");
  // From 3.6 on, and only some seconds after the first start.
  if (!content.storage_version.empty()) EXPECT_EQ(content.storage_version, minor + ".0");
  EXPECT_GT(content.consistent_index.value_or(0), 100U);
  EXPECT_EQ(content.term.has_value(), minor >= "3.5");

  // With the whole history in it, the older file has the answer for each compaction after it.
  // 3.4 does not answer for the compacted revision itself.
  expect_hashes(before, minor == "3.4" ? compacted + 1 : compacted, early, *cluster_->members[0]);
  expect_hashes(after, early + 1, late, *cluster_->members[0]);
  const auto newest = api_->hash_kv(late, kCall);
  ASSERT_TRUE(newest);
  EXPECT_EQ(second->hash->hash, newest->hash);
  EXPECT_EQ(second->hash->compact_revision, newest->compact_revision);
}

TEST_P(SnapshotFiles, AFileWithoutLeasesHashesAsEtcdutlSays) {
  for (int i = 0; i < 40; ++i) put("/k" + std::to_string(i % 9), "v");
  ctl({"del", "--prefix", "/k3"});
  ASSERT_TRUE(api_->compact(30, true, kCall));
  const auto file = save("s.db");
  const auto facts = bolt::verify(open(file));
  ASSERT_TRUE(facts) << facts.error().text();
  if (!counts_live_keys(GetParam())) {  // no such command before 3.6: the member is asked
    const auto live = api_->hash_kv(facts->revision, kCall);
    ASSERT_TRUE(live);
    EXPECT_EQ(facts->hash->hash, live->hash);
    return;
  }
  const auto bytes = posix::read_file(file, kMaxFile);
  ASSERT_TRUE(bytes);
  ASSERT_TRUE(posix::write_atomic(path("copy.db"), *bytes));  // it changes the file
  const auto said =
      json::parse(run(GetParam(), "etcdutl", {"hashkv", path("copy.db"), "--write-out=json"}));
  ASSERT_TRUE(said) << said.error().text();
  EXPECT_EQ(*json::get_uint(*said, "hash"), facts->hash->hash);
  EXPECT_EQ(*json::get_int(*said, "compactRevision"), facts->hash->compact_revision);
}

TEST_P(SnapshotFiles, ATornFileIsRefusedWithTheReason) {
  work(3);
  const auto bytes = posix::read_file(save("s.db"), kMaxFile);
  ASSERT_TRUE(bytes);
  const auto why = [](const std::string& file, const bolt::VerifyOptions& options = {}) {
    const auto facts = bolt::verify(bolt::StringSource(file), options);
    if (facts) return std::string("good");
    EXPECT_EQ(facts.error().code, Code::kDataLoss);
    return facts.error().message;
  };
  EXPECT_EQ(why(*bytes), "good");
  EXPECT_NE(why(bytes->substr(0, bytes->size() / 2)).find("cut: its meta counts"),
            std::string::npos);
  EXPECT_NE(why(bytes->substr(0, bytes->size() - 32)).find("no SHA-256"), std::string::npos);
  EXPECT_NE(why("").find("empty"), std::string::npos);
  EXPECT_NE(why(std::string(8192, 'x') + std::string(32, 'y')).find("not a bolt database"),
            std::string::npos);
  for (const size_t at : {size_t{9000}, bytes->size() / 3, bytes->size() - 40, bytes->size() - 1}) {
    std::string flipped = *bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    EXPECT_NE(why(flipped).find("its SHA-256 is"), std::string::npos) << at;
  }
  // A member's own file, as it lies on its disk after the end.
  cluster_->members[0]->kill();
  const auto own = posix::read_file(path("m0/data/member/snap/db"), size_t{256} << 20);
  ASSERT_TRUE(own);
  EXPECT_NE(why(*own).find("no SHA-256"), std::string::npos);
  EXPECT_EQ(why(*own, {.trailer_required = false}), "good");
}

// All buckets as they are, through the writer.
base::Status rewrite(const std::string& from, const std::string& to, std::uint32_t page_size) {
  TRY(const auto source, bolt::FileSource::open(from));
  TRY(const auto database, bolt::Database::open(source, source.size() / 512 * 512));
  TRY(auto file, posix::FileWriter::create(to));
  const auto contents = [&](bolt::Items& items) -> base::Status {
    auto pages = database.no_pages();
    TRY(const auto buckets, database.buckets(pages));
    for (const auto& bucket : buckets) {
      TRY_OK(items.bucket(bucket.name));
      TRY_OK(database.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
        return items.item(key, value);
      }));
    }
    return {};
  };
  TRY(const auto written,
      bolt::write_database(contents, [&](std::string_view bytes) { return file.append(bytes); },
                           {.page_size = page_size}));
  static_cast<void>(written);
  return file.finish();
}

TEST_P(SnapshotFiles, AnEtcdServesWhatWasWrittenAnew) {
  work(10);
  ASSERT_TRUE(api_->compact(revision() / 2, true, kCall));
  work(4);
  const std::string original = save("s.db");
  const auto facts = bolt::verify(open(original));
  ASSERT_TRUE(facts) << facts.error().text();
  cluster_->members[0]->kill();

  for (const std::uint32_t page_size : {4096U, 16384U}) {
    const std::string file = path("new" + std::to_string(page_size) + ".db");
    const auto done = rewrite(original, file, page_size);
    ASSERT_TRUE(done) << done.error().text();
    const auto anew = bolt::verify(open(file));
    ASSERT_TRUE(anew) << anew.error().text();
    EXPECT_EQ(anew->crc, facts->crc);
    EXPECT_EQ(anew->hash, facts->hash);
    expect_as_etcd_says(file, *anew);  // it walks the file by bolt's own check, too

    auto& member = cluster_->add_process("", "new");
    const auto& options = member.options();
    run(GetParam(), has_etcdutl(GetParam()) ? "etcdutl" : "etcdctl",
        {"snapshot", "restore", file, "--name=" + options.name,
         "--initial-cluster=" + options.initial_cluster, "--initial-cluster-token=test",
         "--initial-advertise-peer-urls=" + member.peer_url(),
         "--data-dir=" + options.dir + "/data"});
    ASSERT_TRUE(member.start());
    const auto ready = member.wait_ready(base::Duration(30'000));
    ASSERT_TRUE(ready) << ready.error().text();
    const auto api = member.connect();
    const auto live = api->hash_kv(facts->revision, kCall);
    ASSERT_TRUE(live) << live.error().text();
    EXPECT_EQ(live->hash, facts->hash->hash);
    const auto all = api->range(std::string(1, '\0'), std::string(1, '\0'), false, 0, kCall);
    ASSERT_TRUE(all) << all.error().text();
    EXPECT_EQ(all->count, static_cast<std::int64_t>(facts->live_keys));

    // It grows, shrinks and is compacted as any other.
    for (int i = 0; i < 200; ++i)
      ASSERT_TRUE(api->put("/more/" + std::to_string(i % 50), "v", kCall));
    ASSERT_TRUE(api->compact(facts->revision + 150, true, kCall));
    ASSERT_TRUE(api->defragment(kCall));
    member.kill();
    const auto again =
        bolt::verify(open(options.dir + "/data/member/snap/db"), {.trailer_required = false});
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->content.compact_revision(), facts->revision + 150);
  }
}

}  // namespace
