#include "manager/intent_source.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace manager {
namespace {

using base::ClusterKey;
using plan::Wish;

std::string cluster(const std::string& name, int size = 3, const std::string& more = "") {
  return fmt::format(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata:\n  name: {}\n"
      "spec:\n  version: 3.5.12\n  size: {}\n{}",
      name, size, more);
}

std::string coreos(const std::string& name) {
  return fmt::format(
      "apiVersion: etcd.database.coreos.com/v1beta2\nkind: EtcdCluster\nmetadata:\n  name: {}\n"
      "spec:\n  version: 3.5.12\n  size: 3\n",
      name);
}

// A folder in memory: each look gives the bytes of what changed since the look before.
class Folder {
 public:
  IntentSource source{{"DIR"}};
  base::Tick now{std::chrono::hours(1000)};

  void put(const std::string& name, const std::string& bytes) {
    files_[name] = {bytes, true, false};
  }
  void remove(const std::string& name) { files_.erase(name); }
  void open_to_others(const std::string& name) { files_[name].open = true; }
  void others(size_t count) { others_ = count; }

  std::set<ClusterKey> look() {
    FolderLook look;
    look.other_entries = others_;
    for (auto& [name, file] : files_) {
      FolderFile out{name, std::nullopt, file.open};
      if (file.changed) out.bytes = file.bytes;
      file.changed = false;
      look.files.push_back(std::move(out));
    }
    return source.take(look, now);
  }
  // As a reader sees a file that is too young to be read.
  void too_young(const std::string& name) {
    source.take(FolderLook{{FolderFile{name, std::nullopt, false}}, others_}, now);
  }
  std::set<ClusterKey> look_after(base::Duration d) {
    now += d;
    return look();
  }
  std::set<ClusterKey> unreadable() {
    return source.take(base::fail(base::Code::kUnavailable, "Input/output error"), now);
  }
  void fail_to_read(const std::string& name) {
    FolderLook look;
    for (auto& [file, content] : files_) {
      FolderFile out{file, std::nullopt, false};
      if (file == name) out.bytes = base::fail(base::Code::kPermissionDenied, "Permission denied");
      look.files.push_back(std::move(out));
    }
    source.take(look, now);
  }
  const Wanted& of(const std::string& name) {
    static const Wanted kNone;
    const auto at = source.wanted().find(ClusterKey{"default", name});
    EXPECT_NE(at, source.wanted().end()) << name;
    return at == source.wanted().end() ? kNone : at->second;
  }
  bool knows(const std::string& name) {
    return source.wanted().contains(ClusterKey{"default", name});
  }

 private:
  struct File {
    std::string bytes;
    bool changed = false, open = false;
  };
  std::map<std::string, File> files_;
  size_t others_ = 0;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr base::Duration kGrace{10'000}, kMoment{100};

TEST(IntentSource, ADeclarationIsWantedAndUnchangedLooksSayNothing) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  EXPECT_EQ(f.look(), std::set<ClusterKey>({{"default", "a"}}));
  EXPECT_EQ(f.of("a").wish, Wish::kPresent);
  EXPECT_EQ(f.of("a").cluster->spec.size, 3);
  EXPECT_EQ(f.of("a").good.generation, 1);
  EXPECT_TRUE(f.look_after(kGrace).empty());
}

TEST(IntentSource, GenerationCountsSpecsNotComments) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.look();
  f.put("a.yaml", "# a comment\n" + cluster("a"));
  f.look();
  EXPECT_EQ(f.of("a").good.generation, 1);
  f.put("a.yaml", cluster("a", 5));
  f.look();
  EXPECT_EQ(f.of("a").good.generation, 2);
  EXPECT_EQ(f.of("a").cluster->generation, 2);
}

TEST(IntentSource, ABrokenEditKeepsTheLastGoodOne) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.look();
  for (const std::string& broken :
       {cluster("a", 33), std::string("spec: {size: \"x\""), std::string("\x00\xff\xfe", 3),
        std::string(), std::string("  \n\n"), cluster("a").substr(0, 60)}) {
    f.put("a.yaml", broken);
    f.look();
    EXPECT_EQ(f.of("a").wish, Wish::kPresent) << broken;
    EXPECT_EQ(f.of("a").cluster->spec.size, 3);
    EXPECT_EQ(f.of("a").good.generation, 1);
    EXPECT_TRUE(has(f.of("a").problem, "a.yaml")) << f.of("a").problem;
    f.look_after(2 * kGrace);
    EXPECT_EQ(f.of("a").wish, Wish::kPresent) << "the grace is for files that are gone";
  }
  f.put("a.yaml", cluster("a", 5));
  f.look();
  EXPECT_EQ(f.of("a").problem, "");
  EXPECT_EQ(f.of("a").cluster->spec.size, 5);
}

TEST(IntentSource, ABrokenDocumentDoesNotHideItsNeighbours) {
  Folder f;
  f.put("a.yaml", cluster("a") + "---\n" + cluster("b", 77) + "---\n" + cluster("c", 1));
  f.look();
  EXPECT_EQ(f.of("a").problem, "");
  EXPECT_FALSE(f.of("b").cluster.has_value());
  EXPECT_TRUE(has(f.of("b").problem, "spec.size"));
  EXPECT_EQ(f.of("c").cluster->spec.size, 1);
  f.put("a.yaml", cluster("a") + "---\n" + cluster("c", 1));
  f.look();
  EXPECT_FALSE(f.knows("b")) << "it never was, and nobody declares it any more";
}

TEST(IntentSource, AFileThatCannotBeReadKeepsItsClusters) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.fail_to_read("a.yaml");
  EXPECT_EQ(f.of("a").wish, Wish::kPresent);
  EXPECT_TRUE(has(f.of("a").problem, "Permission denied"));
  EXPECT_EQ(f.of("b").problem, "");
}

TEST(IntentSource, AnUnreadableFolderIsUnknownNotEmpty) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.look();
  f.unreadable();
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  EXPECT_TRUE(has(f.of("a").problem, "Input/output error"));
  f.now += 10 * kGrace;
  f.unreadable();
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  f.look();
  EXPECT_EQ(f.of("a").wish, Wish::kPresent);
  EXPECT_EQ(f.of("a").problem, "");
}

TEST(IntentSource, AVanishedManifestIsDeletedAfterTheGrace) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.remove("a.yaml");
  f.look();
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  ASSERT_TRUE(f.source.next_deadline().has_value());
  EXPECT_EQ(*f.source.next_deadline(), f.now + kGrace);
  f.look_after(kGrace - base::Duration{1});
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  f.look_after(base::Duration{1});
  EXPECT_EQ(f.of("a").wish, Wish::kDeleted);
  EXPECT_TRUE(f.of("a").good.deleted);
  EXPECT_FALSE(f.source.next_deadline().has_value());
  EXPECT_EQ(f.of("b").wish, Wish::kPresent);
}

TEST(IntentSource, ComingBackWithinTheGraceOrAfterItGoesOnAsTheSame) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.remove("a.yaml");
  f.look();
  f.put("renamed.yaml", cluster("a"));
  f.look_after(kMoment);
  EXPECT_EQ(f.of("a").wish, Wish::kPresent);
  EXPECT_EQ(f.of("a").good.generation, 1);
  EXPECT_EQ(f.of("a").conflict, "");
  f.remove("renamed.yaml");
  f.look();
  f.look_after(kGrace);
  ASSERT_EQ(f.of("a").wish, Wish::kDeleted);
  f.put("a.yaml", cluster("a", 5));
  f.look();
  EXPECT_EQ(f.of("a").wish, Wish::kPresent);
  EXPECT_EQ(f.of("a").good.generation, 2);
  EXPECT_FALSE(f.of("a").good.deleted);
}

TEST(IntentSource, AFolderThatLosesEverythingAtOnceIsNotBelieved) {
  Folder f;
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.others(2);
  f.look();
  f.remove("a.yaml");
  f.remove("b.yaml");
  f.look();
  f.look_after(10 * kGrace);
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  EXPECT_EQ(f.of("b").wish, Wish::kStale);
  EXPECT_TRUE(has(f.of("a").problem, "lost all its manifests at once"));
  f.put("b.yaml", cluster("b"));  // mounted again, and a was really removed meanwhile
  f.look();
  EXPECT_EQ(f.of("b").wish, Wish::kPresent);
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  f.look_after(kGrace);
  EXPECT_EQ(f.of("a").wish, Wish::kDeleted);
}

TEST(IntentSource, AllAtOnceIsNotBelievedHoweverLongAgoTheFolderWasLookedAt) {
  Folder f;
  f.others(1);
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.remove("a.yaml");
  f.remove("b.yaml");
  f.look_after(3 * kGrace);
  f.look_after(3 * kGrace);
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  EXPECT_EQ(f.of("b").wish, Wish::kStale);
}

TEST(IntentSource, TheLastManifestMayFollowTheOthersAfterTheGrace) {
  Folder f;
  f.others(1);
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.remove("a.yaml");
  f.look_after(3 * kGrace);
  f.look_after(kGrace + kMoment);
  f.remove("b.yaml");
  f.look();
  f.look_after(kGrace);
  EXPECT_EQ(f.of("a").wish, Wish::kDeleted);
  EXPECT_EQ(f.of("b").wish, Wish::kDeleted);
}

TEST(IntentSource, FilesThatGoOneByOneWithinTheGraceCountAsAtOnce) {
  Folder f;
  f.others(1);
  f.put("a.yaml", cluster("a"));
  f.put("b.yaml", cluster("b"));
  f.look();
  f.remove("a.yaml");
  f.look_after(kMoment);
  f.remove("b.yaml");
  f.look_after(kMoment);
  f.look_after(3 * kGrace);
  EXPECT_EQ(f.of("a").wish, Wish::kStale);
  EXPECT_EQ(f.of("b").wish, Wish::kStale);
}

TEST(IntentSource, TheLastManifestMayGoIfSomethingElseStays) {
  for (const size_t others : {0U, 1U}) {
    Folder f;
    f.others(others);
    f.put("a.yaml", cluster("a"));
    f.look();
    f.remove("a.yaml");
    f.look();
    f.look_after(kGrace);
    EXPECT_EQ(f.of("a").wish, others == 0 ? Wish::kStale : Wish::kDeleted) << others;
  }
}

TEST(IntentSource, OfTwoFilesTheOneInForceKeepsTheName) {
  Folder f;
  f.put("m.yaml", cluster("a", 3));
  f.look();
  f.put("a.yaml", cluster("a", 5));  // earlier in the alphabet, later in time
  f.look();
  EXPECT_EQ(f.of("a").cluster->spec.size, 3);
  EXPECT_TRUE(has(f.of("a").conflict, "a.yaml:1 declares default/a too"));
  f.remove("m.yaml");
  f.look();
  EXPECT_EQ(f.of("a").cluster->spec.size, 5);
  EXPECT_EQ(f.of("a").conflict, "");
}

TEST(IntentSource, BothGroupsMayNotHaveOneName) {
  Folder f;
  f.put("a.yaml", cluster("a") + "---\n" + coreos("a"));
  f.look();
  EXPECT_EQ(f.of("a").cluster->group, api::Group::kOperatorEtcdIo);
  EXPECT_TRUE(has(f.of("a").conflict, "is ignored"));
}

TEST(IntentSource, ASecondFileDoesNotTakeOverFromOneThatIsBroken) {
  Folder f;
  f.put("a.yaml", cluster("a", 5));
  f.look();
  f.put("a.yaml", "spec: {size: \"x\"");
  f.put("b.yaml", cluster("a", 1));
  f.look();
  EXPECT_EQ(f.of("a").cluster->spec.size, 5);
  EXPECT_TRUE(has(f.of("a").conflict, "b.yaml:1"));
}

TEST(IntentSource, ARestartGoesOnWithWhatWasSaved) {
  Folder before;
  before.put("all.yaml", cluster("x", 1) + "---\n" + cluster("a", 5) + "---\n" + cluster("y", 1));
  before.look();
  const auto saved = decode_saved_intent(encode(before.of("a").good));
  ASSERT_TRUE(saved.has_value());
  EXPECT_FALSE(has(saved->text, "name: x")) << "only its own document is kept";

  Folder after;
  after.source.adopt({"default", "a"}, *saved);
  EXPECT_EQ(after.of("a").wish, Wish::kStale);
  EXPECT_EQ(after.of("a").cluster->spec.size, 5);
  after.put("all.yaml", "half a fi");
  after.look();
  EXPECT_EQ(after.of("a").wish, Wish::kPresent);
  EXPECT_NE(after.of("a").problem, "");
  after.put("all.yaml", cluster("a", 5));
  after.look();
  EXPECT_EQ(after.of("a").good.generation, 1);
  EXPECT_EQ(after.of("a").problem, "");
}

TEST(IntentSource, ARestartOverAnEmptyFolderDeletesNothing) {
  Folder before;
  before.put("a.yaml", cluster("a"));
  before.look();
  Folder after;
  after.others(3);
  after.source.adopt({"default", "a"}, before.of("a").good);
  after.look();
  after.look_after(3 * kGrace);
  EXPECT_EQ(after.of("a").wish, Wish::kStale);
}

TEST(IntentSource, WhatWasDeletedStaysDeletedOverARestart) {
  Folder before;
  before.put("a.yaml", cluster("a"));
  before.put("b.yaml", cluster("b"));
  before.look();
  before.remove("a.yaml");
  before.look();
  before.look_after(kGrace);
  Folder after;
  after.source.adopt({"default", "a"}, before.of("a").good);
  after.put("b.yaml", cluster("b"));
  after.look();
  EXPECT_EQ(after.of("a").wish, Wish::kDeleted);
}

TEST(IntentSource, AManifestThatIsTooYoungToBeReadIsNotGone) {
  Folder before;
  before.put("a.yaml", cluster("a"));
  before.look();
  auto deleted = before.of("a").good;
  deleted.deleted = true;
  for (const auto& saved : {before.of("a").good, deleted}) {
    Folder after;
    after.others(1);
    after.source.adopt({"default", "a"}, saved);
    after.too_young("a.yaml");
    EXPECT_EQ(after.of("a").wish, Wish::kStale) << "an interrupted deletion does not go on either";
    EXPECT_TRUE(has(after.of("a").problem, "a moment ago")) << after.of("a").problem;
    EXPECT_TRUE(after.source.problems().empty());
    after.put("a.yaml", cluster("a", 5));
    after.look_after(kMoment);
    EXPECT_EQ(after.of("a").wish, Wish::kPresent);
    EXPECT_EQ(after.of("a").cluster->spec.size, 5);
    EXPECT_EQ(after.of("a").problem, "");
  }
}

TEST(IntentSource, SecretsOfFilesThatOthersCanReadAreRefused) {
  Folder f;
  f.put("s.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  token: hush-hush\n");
  f.look();
  EXPECT_EQ(f.source.secrets().size(), 1U);
  f.open_to_others("s.yaml");
  f.look();
  EXPECT_TRUE(f.source.secrets().empty());
  ASSERT_EQ(f.source.problems().size(), 1U);
  EXPECT_TRUE(has(f.source.problems()[0], "chmod 600"));
  EXPECT_FALSE(has(f.source.problems()[0], "hush"));
}

TEST(IntentSource, OnlyManifestsByName) {
  for (const auto* name : {"a.yaml", "a.yml", "a.json", "a.b.yaml"})
    EXPECT_TRUE(is_manifest_name(name)) << name;
  for (const auto* name : {"", ".a.yaml", ".yaml", "yaml", "a.yaml~", "a.yaml.swp", "a.txt", "a"})
    EXPECT_FALSE(is_manifest_name(name)) << name;
}

TEST(SavedIntent, TornOrForeignBytesAreRefused) {
  SavedIntent saved;
  saved.file = "a.yaml";
  saved.text = "line\nline\n";
  saved.generation = 4;
  saved.stop = true;
  saved.approvals = {{"op-1", base::Instant{std::chrono::hours(5)}}};
  api::Restore& wish = saved.in_place.emplace();
  wish.required = true;
  wish.backup = "i1/full-1";
  wish.to_revision = 7;
  wish.to_time = base::Instant{std::chrono::hours(6)};
  wish.asked_by = "the command restore";
  wish.request = "then";
  wish.asked_at = base::Instant{std::chrono::hours(7)};
  const auto bytes = encode(saved);
  const auto again = decode_saved_intent(bytes);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(*again == saved);
  for (size_t cut = 0; cut < bytes.size() - 1; ++cut)
    EXPECT_FALSE(decode_saved_intent(std::string_view(bytes).substr(0, cut)).has_value()) << cut;
  for (size_t i = 0; i + 12 < bytes.size(); i += 7) {
    auto changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(decode_saved_intent(changed).has_value()) << i;
  }
}

}  // namespace
}  // namespace manager
