#include "archive/fetch.h"

#include "archive/archive_testing.h"
#include "archive/bump.h"

namespace archive {
namespace {

using base::Code;
using objstore::Fault;
using objstore::Trouble;

class Fetching : public testing::Bench {
 protected:
  void flip(const std::string& name, Part part) {
    ASSERT_TRUE(
        store.damage(key_of(name, part), [](std::string& bytes) { bytes[bytes.size() / 2] ^= 1; }));
  }
  FetchReport bring() {
    clock.pass(base::Duration(1000));
    return fetch(fetch_job(), world());
  }
  bolt::SnapshotFacts restored() {
    const auto source = bolt::FileSource::open(fetch_job().to);
    EXPECT_TRUE(source);
    auto facts = bolt::verify(*source);
    EXPECT_TRUE(facts) << facts.error().text();
    return *facts;
  }
};

TEST_F(Fetching, TheNewestWithItsRevisionsRaised) {
  cluster.sample.grant(7, 60);
  cluster.sample.put("leased", "x", 7);
  cluster.sample.buckets["alarm"]["\x08\x01\x10\x01"] = "";
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto saved = change_and_backup();
  const auto report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.name, saved.name);
  EXPECT_EQ(report.incarnation, life);
  EXPECT_EQ(report.revision, 24);
  EXPECT_EQ(report.starts_at, 24 + kBump);
  EXPECT_EQ(report.keys, 8U);
  EXPECT_EQ(report.etcd_version, "3.5.12");
  EXPECT_TRUE(report.skipped.empty());
  const auto facts = restored();
  EXPECT_EQ(facts.revision, 24 + kBump);
  EXPECT_EQ(facts.live_keys, 8U);
  EXPECT_EQ(facts.records, 8U);  // no history
  EXPECT_EQ(facts.tombstones, 0U);
  EXPECT_EQ(facts.content.finished_compaction, 24 + kBump);
  EXPECT_EQ(facts.content.scheduled_compaction, 24 + kBump);
  EXPECT_EQ(facts.content.leases, 1U);
  EXPECT_TRUE(facts.content.alarms.empty());
  EXPECT_EQ(facts.content.members.size(), 1U);
  EXPECT_EQ(facts.hash->hash, report.hash);
}

// etcdutl raised its revision when the cluster itself was brought back, by a record of no key.
TEST_F(Fetching, OneOfAClusterThatWasBroughtBack) {
  cluster.sample.mark_compacted(1'000'000'000);
  cluster.sample.buckets["key"][bolt::revision_key({1'000'000'000, 0}, false)] = "";
  cluster.sample.revision = 1'000'000'000;
  cluster.sample.put("greeting", "once more");
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.starts_at, 1'000'000'001 + kBump);
  EXPECT_EQ(report.keys, cluster.sample.keys.size());
  const auto facts = restored();
  EXPECT_EQ(facts.live_keys, cluster.sample.keys.size());
  EXPECT_EQ(facts.records, facts.live_keys) << "nothing but keys";
}

TEST_F(Fetching, ExactlyAsItWas) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  auto wanted = fetch_job();
  wanted.exact = true;
  const auto report = fetch(wanted, world());
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.starts_at, 22);
  EXPECT_EQ(*posix::read_file(wanted.to, size_t{1} << 20), cluster.sample.file());
  EXPECT_EQ(report.hash, restored().hash->hash);
}

TEST_F(Fetching, AClusterWithoutKeys) {
  cluster.sample = {};
  cluster.sample.put("a", "b");
  cluster.sample.remove("a");
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.keys, 0U);
  EXPECT_EQ(restored().revision, 3 + kBump);
}

TEST_F(Fetching, WhatIsDamagedIsPassedOverAndTold) {
  const auto oldest = backup(), older = change_and_backup(), old = change_and_backup(),
             newer = change_and_backup(), newest = change_and_backup();
  flip(newest.name, Part::kData);
  flip(newer.name, Part::kManifest);
  ASSERT_TRUE(store.remove(key_of(old.name, Part::kData), call()));
  ASSERT_TRUE(store.damage(key_of(older.name, Part::kData), [](auto& bytes) { bytes += 'x'; }));
  const auto report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.name, oldest.name);
  ASSERT_EQ(report.skipped.size(), 4U);
  EXPECT_EQ(report.skipped[0].name, newest.name);
  EXPECT_EQ(report.skipped[1].name, newer.name);
  EXPECT_NE(report.skipped[1].why.find("its manifest is damaged"), std::string::npos);
  EXPECT_EQ(report.skipped[2].why, "its data is not there");
  EXPECT_NE(report.skipped[3].why.find("bytes, not"), std::string::npos);

  flip(oldest.name, Part::kData);
  const auto none = bring();
  EXPECT_EQ(none.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(none.error_kind, kind::kNoneGood);
  EXPECT_EQ(none.skipped.size(), 5U);
}

TEST_F(Fetching, WhatWasFoundDamagedComesLastAndIsTold) {
  const auto older = backup(), newer = change_and_backup();
  const auto mark = [&](const std::string& name) {
    ASSERT_TRUE(put_mark(shelf(), *Name::parse(name), Part::kBad, {.by = "drill"}, call()));
  };
  mark(newer.name);
  auto report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.name, older.name);
  EXPECT_EQ(report.warning, "");
  EXPECT_EQ(report.skipped, (std::vector<Skipped>{{newer.name, "it was found damaged before"}}));
  // Asked for by its name, or when no other one is good.
  auto wanted = fetch_job();
  wanted.name = newer.name;
  EXPECT_EQ(fetch(wanted, world()).warning, newer.name + ": it was found damaged before");
  mark(older.name);
  flip(newer.name, Part::kData);
  report = bring();
  ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.name, older.name);
  EXPECT_EQ(report.warning, older.name + ": it was found damaged before");
  ASSERT_EQ(report.skipped.size(), 1U);
  EXPECT_EQ(report.skipped[0].name, newer.name);
}

TEST_F(Fetching, ANewerIncarnationComesFirstWhateverTheRevisions) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
  life = "20261122T010000Z-bbbb";
  cluster.sample = {};
  cluster.id = 0xdef;
  const auto young = change_and_backup();
  ASSERT_EQ(young.outcome, RunOutcome::kUploaded) << young.error;
  EXPECT_EQ(bring().name, young.name);
  flip(young.name, Part::kData);
  const auto report = bring();
  EXPECT_EQ(report.revision, 25);
  EXPECT_EQ(report.incarnation, "20261122T000000Z-aaaa");
  EXPECT_EQ(report.skipped.size(), 1U);
}

TEST_F(Fetching, ACertainOne) {
  const auto first = backup();
  const auto second = change_and_backup();
  auto wanted = fetch_job();
  wanted.name = first.name;
  EXPECT_EQ(fetch(wanted, world()).revision, 22);
  flip(first.name, Part::kData);
  auto report = fetch(wanted, world());
  EXPECT_EQ(report.outcome, FetchOutcome::kFailed);  // never another one instead
  EXPECT_EQ(report.error_kind, kind::kMismatch);
  wanted.name[0] = '1';
  EXPECT_EQ(fetch(wanted, world()).error_kind, kind::kNotFound);
}

TEST_F(Fetching, EmptyIsNotUnknown) {
  EXPECT_EQ(bring().outcome, FetchOutcome::kEmpty);
  for (const auto code :
       {Code::kPermissionDenied, Code::kUnavailable, Code::kFailedPrecondition, Code::kNotFound}) {
    faults = [=](std::string_view, const std::string&) { return Fault{Trouble::kRefused, code}; };
    const auto report = bring();
    EXPECT_EQ(report.outcome, FetchOutcome::kFailed);
    EXPECT_NE(report.error, "");
  }
  faults = {};
  kill_at = "commit.after";
  EXPECT_THROW(backup(), testing::Killed);
  kill_at.clear();
  const auto report = bring();
  EXPECT_EQ(report.outcome, FetchOutcome::kEmpty);
  EXPECT_NE(report.warning.find("1 parts of unfinished ones"), std::string::npos);
}

TEST_F(Fetching, AStoreThatDoesNotAnswerIsNoReasonToTakeAnOlderOne) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto newest = change_and_backup();
  for (const auto part : {Part::kManifest, Part::kData})
    for (const auto code : {Code::kPermissionDenied, Code::kUnavailable}) {
      faults = [&, key = key_of(newest.name, part)](std::string_view operation,
                                                    const std::string& k) -> std::optional<Fault> {
        if (operation != "get" || k != key) return {};
        return Fault{Trouble::kRefused, code};
      };
      const auto report = bring();
      EXPECT_EQ(report.outcome, FetchOutcome::kFailed);
      EXPECT_EQ(report.error_kind,
                code == Code::kUnavailable ? kind::kUnavailable : kind::kCredentials);
    }
}

// A server that is behind says so of what it lists.
TEST_F(Fetching, NotFoundIsBelievedOnlyOfWhatIsNotListed) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto saved = change_and_backup();
  const auto key = key_of(saved.name, Part::kManifest);
  int left = 1;
  faults = [&](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation != "get" || k != key || left == 0) return {};
    --left;
    return Fault{Trouble::kRefused, Code::kNotFound};
  };
  EXPECT_EQ(bring().name, saved.name);
  left = -1;
  auto report = bring();
  EXPECT_EQ(report.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kUnavailable) << report.error;
  EXPECT_NE(report.error.find("the store lists it"), std::string::npos) << report.error;
  // It goes between the list and the read.
  faults = [&](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation == "get" && k == key) static_cast<void>(store.remove(key, call()));
    return {};
  };
  report = bring();
  EXPECT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
  EXPECT_EQ(report.revision, 22);
}

TEST_F(Fetching, OfANewerProgramIsNotDamaged) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto newest = change_and_backup();
  ASSERT_TRUE(store.damage(key_of(newest.name, Part::kManifest), [](std::string& bytes) {
    const auto at = bytes.find("\"format\": 1");
    ASSERT_NE(at, std::string::npos) << bytes;
    bytes[at + 10] = '2';
  }));
  const auto report = bring();
  EXPECT_EQ(report.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kNewer);
  EXPECT_NE(report.error.find(newest.name), std::string::npos);
}

TEST_F(Fetching, KilledBeforeTheFileIsWholeThereIsNone) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  kill_at = "fetched.before";
  EXPECT_THROW(bring(), testing::Killed);
  EXPECT_EQ(posix::file_info(fetch_job().to).error().code, Code::kNotFound);
  kill_at = "fetched.after";
  EXPECT_THROW(bring(), testing::Killed);
  EXPECT_EQ(restored().revision, 22 + kBump);
  kill_at.clear();
  EXPECT_EQ(bring().outcome, FetchOutcome::kFetched);
}

TEST_F(Fetching, Encrypted) {
  key = *Key::parse(std::string(64, 'a'), "k");
  const auto saved = backup();
  ASSERT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  const auto bytes =
      objstore::read_all(store, key_of(saved.name, Part::kData), size_t{1} << 20, call());
  EXPECT_TRUE(bytes->starts_with("EOSS1\n"));
  const auto report = bring();
  EXPECT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;

  key = *Key::parse(std::string(64, 'b'), "k");
  const auto other = bring();
  EXPECT_EQ(other.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(other.error_kind, kind::kKey);
  EXPECT_NE(other.error.find("it is encrypted with the key "), std::string::npos);
  key = *Key::parse(std::string(64, 'a'), "k");
  faults = [](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation != "get" || !k.ends_with(".zst")) return {};
    return Fault{Trouble::kRefused, Code::kFailedPrecondition};
  };
  EXPECT_EQ(bring().error_kind, kind::kRefused);  // the store's, and no word about keys
  faults = {};
  key.reset();
  EXPECT_EQ(bring().error_kind, kind::kKey);
  EXPECT_NE(bring().error.find("no key was given"), std::string::npos);
}

}  // namespace
}  // namespace archive
