// What a database file may look like, and the reason given for each that may not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "etcd/bolt/testing/sample.h"
#include "etcd/bolt/verify.h"

namespace bolt {
namespace {

using base::Code;
using testing::Sample;

constexpr std::uint32_t kSmall = 1024;
constexpr WriteOptions kPlain{.page_size = kSmall, .trailer = false};
constexpr VerifyOptions kNoTrailer{.trailer_required = false};

base::Result<SnapshotFacts> look(const std::string& file, const VerifyOptions& options = {}) {
  return verify(StringSource(file), options);
}

Sample sample() {
  Sample out;
  for (int i = 0; i < 60; ++i) out.put(fmt::format("key-{:02}", i % 40), std::string(50, 'v'));
  out.put("leased", "1", 7);
  out.put("pair", "2", 0, true);
  out.remove("key-03");
  out.grant(7, 60);
  return out;
}

void store(std::string& file, std::size_t at, std::string_view bytes) {
  file.replace(at, bytes.size(), bytes);
}
template <class T>
void store_number(std::string& file, std::size_t at, T value) {
  std::string bytes;
  append(bytes, value);
  store(file, at, bytes);
}

// Both metas, with a check sum that fits.
void change_meta(std::string& file, const std::function<void(Meta&)>& change) {
  for (std::size_t page = 0; page < 2; ++page) {
    auto meta = *parse_meta(std::string_view(file).substr(page * kSmall + kPageHead));
    change(meta);
    store(file, page * kSmall + kPageHead, meta_bytes(meta));
  }
}

Meta meta_of(const std::string& file) {
  return Database::open(StringSource(file), file.size())->meta();
}

// The root of bucket `key`, a branch in this sample.
std::size_t key_root(const std::string& file) {
  const StringSource source(file);
  const auto database = Database::open(source, file.size());
  PageSet pages = database->no_pages();
  for (const auto& bucket : *database->buckets(pages))
    if (bucket.name == "key") return static_cast<std::size_t>(bucket.root * kSmall);
  return 0;
}

TEST(Bolt, FactsOfASnapshot) {
  Sample s = sample();
  s.buckets["meta"]["storageVersion"] = "3.6.0";
  s.buckets["members_removed"]["1f"] = "removed";
  s.buckets["alarm"][std::string("\x08\x05\x10\x01", 4)] = "";
  s.buckets["auth"]["authEnabled"] = std::string(1, '\1');
  s.buckets["auth"]["authRevision"] = testing::number(9);
  s.buckets["authUsers"]["root"] = "x";
  s.buckets["of_a_later_version"]["x"] = "y";
  const std::string file = s.file();
  EXPECT_EQ(file.size() % 512, kTrailer);
  const auto facts = look(file);
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_EQ(facts->revision, 63);
  EXPECT_EQ(facts->first_revision, 2);
  EXPECT_EQ(facts->records, 63U);
  EXPECT_EQ(facts->tombstones, 1U);
  EXPECT_EQ(facts->live_keys, 41U);
  EXPECT_EQ(facts->file_bytes, facts->database_bytes + kTrailer);
  EXPECT_EQ(facts->sha256.size(), 64U);
  const Content& c = facts->content;
  ASSERT_EQ(c.members.size(), 1U);
  EXPECT_EQ(base::to_text(c.members[0].id), "8e9e05c52164694d");
  EXPECT_EQ(c.members[0].name, "a");
  EXPECT_EQ(c.members[0].peer_urls, std::vector<std::string>{"http://127.0.0.1:2380"});
  EXPECT_FALSE(c.members[0].learner);
  EXPECT_EQ(c.removed, std::vector<base::MemberId>{base::MemberId{0x1f}});
  EXPECT_EQ(c.cluster_version, "3.5.0");
  EXPECT_EQ(c.storage_version, "3.6.0");
  EXPECT_EQ(c.consistent_index, 17U);
  EXPECT_EQ(c.term, 2U);
  EXPECT_EQ(c.leases, 1U);
  ASSERT_EQ(c.alarms.size(), 1U);
  EXPECT_EQ(c.alarms[0].member, base::MemberId{5});
  EXPECT_EQ(c.alarms[0].kind, 1U);
  EXPECT_TRUE(c.auth_enabled);
  EXPECT_EQ(c.auth_revision, 9U);
  EXPECT_EQ(c.users, 1U);
}

TEST(Bolt, TheRevisionIsTheNewestOfRecordsAndCompactions) {
  Sample s;
  EXPECT_EQ(look(s.file())->revision, 1);
  s.put("a", "1");
  EXPECT_EQ(look(s.file())->revision, 2);
  s.mark_compacted(9, false);  // 3.5.12 drops a tombstone at the compacted revision
  EXPECT_EQ(look(s.file())->revision, 9);
  EXPECT_EQ(look(s.file())->hash->compact_revision, 9);
}

TEST(Bolt, ARecordThatRaisesTheRevisionIsFine) {
  Sample s = sample();
  s.buckets["key"][revision_key({1'000'000'000, 0}, false)] = "";  // etcdutl --bump-revision
  const auto facts = look(s.file());
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_EQ(facts->revision, 1'000'000'000);
}

TEST(Bolt, EveryFlippedBitIsFound) {
  const std::string whole = sample().file({.page_size = kSmall});
  ASSERT_TRUE(look(whole));
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string file = whole;
    file[at] = static_cast<char>(file[at] ^ (1 << at % 8));
    const auto facts = look(file);
    ASSERT_FALSE(facts) << at;
    EXPECT_EQ(facts.error().code, Code::kDataLoss);
  }
}

// Large enough that the check sum is computed beside the walk.
TEST(Bolt, AFlippedBitOfALargeFileIsFound) {
  Sample s;
  for (int i = 0; i < 20; ++i) s.put(fmt::format("k{}", i), std::string(300'000, 'v'));
  std::string file = s.file();
  const auto facts = look(file);
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_EQ(facts->live_keys, 20U);
  for (const std::size_t at : {file.size() / 2, std::size_t{2 * 4096 + 9}}) {
    file[at] = static_cast<char>(file[at] ^ 1);
    const auto flipped = look(file);
    ASSERT_FALSE(flipped);
    EXPECT_NE(flipped.error().message.find("its SHA-256 is"), std::string::npos);
    file[at] = static_cast<char>(file[at] ^ 1);
  }
}

TEST(Bolt, EveryCutIsFoundAndSaysHowMuchIsMissing) {
  const std::string whole = sample().file({.page_size = kSmall});
  for (std::size_t size = 0; size < whole.size(); size += size % 512 == 32 ? 480 : 32) {
    const auto facts = look(whole.substr(0, size));
    ASSERT_FALSE(facts) << size;
    EXPECT_EQ(facts.error().code, Code::kDataLoss);
  }
  EXPECT_NE(look(whole.substr(0, 4096 + 32)).error().message.find("cut: its meta counts"),
            std::string::npos);
  EXPECT_NE(look(whole.substr(0, whole.size() - 1)).error().message.find("cut"), std::string::npos);
  EXPECT_NE(look(whole.substr(0, whole.size() - 32)).error().message.find("no SHA-256"),
            std::string::npos);
  EXPECT_TRUE(look(whole.substr(0, whole.size() - 32), kNoTrailer));
}

TEST(Bolt, OneGoodMetaIsEnoughAndTheNewerOneCounts) {
  const std::string whole = sample().file(kPlain);
  std::string file = whole;
  file[kPageHead + 20] = 'x';
  EXPECT_EQ(meta_of(file).txid, 1U);
  ASSERT_TRUE(look(file, kNoTrailer));
  file[kSmall + kPageHead + 20] = 'x';
  const auto both = look(file, kNoTrailer);
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message.find("both its metas are damaged"), std::string::npos);

  // A commit goes to the page of its parity.
  file = whole;
  auto newer = meta_of(whole);
  newer.txid = 9;
  store(file, kSmall + kPageHead, meta_bytes(newer));
  EXPECT_EQ(meta_of(file).txid, 9U);
  for (const std::uint32_t page_size : {1024U, 4096U, 65536U}) {
    std::string other = sample().file({.page_size = page_size, .trailer = false});
    other[kPageHead] = 'x';
    EXPECT_EQ(meta_of(other).page_size, page_size);
  }
}

struct Damage {
  const char* why;  // must be in the reason
  std::function<void(std::string& file)> change;
};

TEST(Bolt, DamagedPagesAreRefusedWithTheReason) {
  const auto leaf = [](const std::string& f) {  // the first of bucket `key`
    return static_cast<std::size_t>(load<std::uint64_t>(f, key_root(f) + kPageHead + 8)) * kSmall;
  };
  const std::vector<Damage> all = {
      {"a reference to page 99999",
       [](auto& f) { change_meta(f, [](Meta& m) { m.root = 99999; }); }},
      {"a reference to page 1", [](auto& f) { change_meta(f, [](Meta& m) { m.root = 1; }); }},
      {"cut: its meta counts",
       [](auto& f) { change_meta(f, [](Meta& m) { m.high_water = ~0ULL; }); }},
      {"a database of 0 pages", [](auto& f) { change_meta(f, [](Meta& m) { m.high_water = 0; }); }},
      {"its head says that it is page 77",
       [](auto& f) { store_number<std::uint64_t>(f, key_root(f), 77); }},
      {"neither branch nor leaf",
       [](auto& f) { store_number<std::uint16_t>(f, key_root(f) + 8, 4); }},
      {"pages long, and there are",
       [](auto& f) { store_number<std::uint32_t>(f, key_root(f) + 12, 0xFFFFFFFF); }},
      {"a branch without children",
       [](auto& f) { store_number<std::uint16_t>(f, key_root(f) + 10, 0); }},
      {"more than the page has room for",
       [](auto& f) { store_number<std::uint16_t>(f, key_root(f) + 10, 0xFFFF); }},
      {"reaches to byte",
       [&](auto& f) { store_number<std::uint32_t>(f, leaf(f) + kPageHead + 12, 0xFFFFFFFF); }},
      {"overlaps what is before it",
       [&](auto& f) { store_number<std::uint32_t>(f, leaf(f) + kPageHead + 4, 0); }},
      {"unknown flags", [&](auto& f) { store_number<std::uint32_t>(f, leaf(f) + kPageHead, 2); }},
      {"a bucket within a bucket",
       [&](auto& f) { store_number<std::uint32_t>(f, leaf(f) + kPageHead, 1); }},
      {"is out of order",
       [&](auto& f) {
         const std::size_t at = leaf(f) + kPageHead + kElement;
         f[at + load<std::uint32_t>(f, at + 4) + 7] = '\0';
       }},
      {"it is in the tree twice",
       [](auto& f) {
         store_number<std::uint64_t>(f, key_root(f) + kPageHead + 8, key_root(f) / kSmall);
       }},
      {"a value where only buckets may be",
       [](auto& f) {
         store_number<std::uint32_t>(
             f, static_cast<std::size_t>(meta_of(f).root) * kSmall + kPageHead, 0);
       }},
      {"is in use or listed twice",
       [&](auto& f) {
         store_number<std::uint16_t>(f, 2 * kSmall + 10, 1);
         store_number<std::uint64_t>(f, 2 * kSmall + kPageHead, leaf(f) / kSmall);
       }},
      {"list of free pages: page 2 is none",
       [](auto& f) { store_number<std::uint16_t>(f, 2 * kSmall + 8, 2); }},
  };
  const std::string whole = sample().file(kPlain);
  ASSERT_TRUE(look(whole, kNoTrailer));
  for (const auto& damage : all) {
    std::string file = whole;
    damage.change(file);
    const auto facts = look(file, kNoTrailer);
    ASSERT_FALSE(facts) << damage.why;
    EXPECT_EQ(facts.error().code, Code::kDataLoss);
    EXPECT_NE(facts.error().message.find(damage.why), std::string::npos) << facts.error().message;
  }
}

// Two branches that lead to the same page, and it holds nothing: no order of keys would show it.
TEST(Bolt, APageInTwoPlacesIsFoundWhateverItHolds) {
  std::string file = sample().file(kPlain);
  const std::size_t root = key_root(file);
  const auto child = load<std::uint64_t>(file, root + kPageHead + 8);
  store_number<std::uint16_t>(file, static_cast<std::size_t>(child) * kSmall + 10, 0);
  store_number<std::uint64_t>(file, root + kPageHead + kElement + 8, child);
  const auto facts = look(file, kNoTrailer);
  ASSERT_FALSE(facts);
  EXPECT_NE(facts.error().message.find("in the tree twice"), std::string::npos);
}

struct WrongContent {
  const char* why;
  std::function<void(Sample& s)> change;
};

TEST(Bolt, ContentThatEtcdDoesNotWriteIsRefusedWithTheReason) {
  const auto value_of = [](std::int64_t created, std::int64_t mod, std::int64_t version) {
    Record record;
    record.key = "k";
    record.create_revision = created;
    record.mod_revision = mod;
    record.version = version;
    return record_value(record);
  };
  const auto key = revision_key({100, 0}, false);
  const std::vector<WrongContent> all = {
      {"it has no bucket key", [](auto& s) { s.buckets.erase("key"); }},
      {"it has no bucket meta", [](auto& s) { s.buckets.erase("meta"); }},
      {"that is no revision", [](auto& s) { s.buckets["key"]["short"] = ""; }},
      {"a negative revision", [](auto& s) { s.buckets["key"][revision_key({-1, 0}, false)] = ""; }},
      {"is not a key and a value", [&](auto& s) { s.buckets["key"][key] = "\x0a\x7f"; }},
      {"it has no key", [&](auto& s) { s.buckets["key"][key] = "\x20\x01"; }},
      {"it is of revision 99", [&](auto& s) { s.buckets["key"][key] = value_of(5, 99, 1); }},
      {"created at 101", [&](auto& s) { s.buckets["key"][key] = value_of(101, 100, 1); }},
      {"version 0", [&](auto& s) { s.buckets["key"][key] = value_of(5, 100, 0); }},
      {"more than its key", [&](auto& s) { s.buckets["key"][key + "t"] = value_of(5, 100, 1); }},
      {"under the key of another",
       [](auto& s) { s.buckets["lease"][testing::number(8)] = std::string("\x08\x09", 2); }},
      {"consistent_index of 3 bytes",
       [](auto& s) { s.buckets["meta"]["consistent_index"] = "abc"; }},
      {"finishedCompactRev is no revision",
       [](auto& s) { s.buckets["meta"]["finishedCompactRev"] = "abc"; }},
      {"member 1f: it is under the id of another",
       [](auto& s) { s.buckets["members"]["1f"] = R"({"id":5})"; }},
      {"member 1f: line 1", [](auto& s) { s.buckets["members"]["1f"] = "{"; }},
      {"whose id is no number", [](auto& s) { s.buckets["members"]["xyz"] = "{}"; }},
      {"peerURLs is no list",
       [](auto& s) { s.buckets["members"]["1f"] = R"({"id":31,"peerURLs":1})"; }},
      {"authEnabled of 0 bytes", [](auto& s) { s.buckets["auth"]["authEnabled"] = ""; }},
      {"an alarm that cannot be read", [](auto& s) { s.buckets["alarm"]["\x08"] = ""; }},
  };
  for (const auto& wrong : all) {
    Sample s = sample();
    wrong.change(s);
    const auto facts = look(s.file());
    ASSERT_FALSE(facts) << wrong.why;
    EXPECT_EQ(facts.error().code, Code::kDataLoss);
    EXPECT_NE(facts.error().message.find(wrong.why), std::string::npos) << facts.error().message;
  }
}

class BrokenDisk final : public Source {
 public:
  BrokenDisk(std::string_view bytes, std::uint64_t good) : bytes_(bytes), good_(good) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] base::Status read(std::uint64_t offset, std::span<char> out) const override {
    if (offset + out.size() > good_) return base::fail(Code::kUnavailable, "the disk is broken");
    return bytes_.read(offset, out);
  }

 private:
  StringSource bytes_;
  std::uint64_t good_;
};

TEST(Bolt, ADiskThatFailsSaysNothingAboutTheSnapshot) {
  const std::string whole = sample().file({.page_size = kSmall});
  for (std::uint64_t good = 0; good < whole.size(); good += 100) {
    const auto facts = verify(BrokenDisk(whole, good));
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, Code::kUnavailable) << good;
  }
}

// The fuzzer begins with them; the first byte is its own. EO_WRITE_SEEDS writes them.
TEST(Bolt, TheFuzzersSeedsAreTheseFiles) {
  Sample compacted;
  for (int i = 0; i < 24; ++i) compacted.put(fmt::format("k{}", i % 5), std::string(70, 'v'));
  compacted.remove("k2");
  compacted.mark_compacted(20);
  compacted.grant(7, 60);
  const std::map<std::string, std::string> seeds = {
      {"whole", '\0' + sample().file({.page_size = kSmall})},
      {"branches", '\1' + sample().file(kPlain)},
      {"compacted", '\1' + compacted.file(kPlain)},
      {"empty", '\1' + Sample().file(kPlain)}};
  for (const auto& [name, seed] : seeds) {
    const std::string path = "fuzz/bolt_corpus/" + name;
    if (std::getenv("EO_WRITE_SEEDS") != nullptr) std::ofstream(path, std::ios::binary) << seed;
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    EXPECT_TRUE(text.str() == seed) << path;
    EXPECT_TRUE(look(seed.substr(1), kNoTrailer)) << path;
  }
}

}  // namespace
}  // namespace bolt
