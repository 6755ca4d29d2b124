// What is particular to the store in memory and to the one in a directory; what all must do is in
// tests/conformance/store_cases.cc.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objstore/local_store.h"
#include "objstore/memory_store.h"
#include "posix/clock.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"

namespace objstore {
namespace {

using base::Code;

Call call() {
  return {.deadline = posix::deadline_in(base::Duration(60'000))};
}

TEST(Call, APartGetsNoMoreTimeThanTheWhole) {
  const base::Tick now{base::Duration(1000)};
  const Call whole{.deadline = now + base::Duration(50)};
  EXPECT_EQ(whole.within(now, base::Duration(20)).deadline, now + base::Duration(20));
  EXPECT_EQ(whole.within(now, base::Duration(200)).deadline, whole.deadline);
}

TEST(MemoryStore, FailsAndLiesAsItIsTold) {
  const posix::SystemClock clock;
  std::optional<Fault> fault;
  std::string where;
  MemoryStore store(clock, [&](std::string_view operation, const std::string&) {
    return operation == where ? fault : std::nullopt;
  });
  where = "put";
  fault = {.trouble = Trouble::kRefused, .code = Code::kPermissionDenied};
  EXPECT_EQ(store.put("a", "1234", {}, call()).error().code, Code::kPermissionDenied);
  fault = {.trouble = Trouble::kLost};
  EXPECT_EQ(store.put("a", "1234", {}, call()).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(store.stat("a", call()).error().code, Code::kNotFound);
  fault = {.trouble = Trouble::kLostAnswer};
  EXPECT_EQ(store.put("a", "1234", {}, call()).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(store.stat("a", call())->size, 4U);
  fault = {.trouble = Trouble::kLiedNothing};
  EXPECT_EQ(store.put("b", "1234", {}, call())->size, 4U);
  EXPECT_EQ(store.stat("b", call()).error().code, Code::kNotFound);
  fault = {.trouble = Trouble::kLiedHalf};
  EXPECT_EQ(store.put("c", "1234", {}, call())->size, 4U);
  EXPECT_EQ(store.stat("c", call())->size, 2U);
  where = "get";
  EXPECT_EQ(read_all(store, "a", 100, call()), "12");
  where = "list";
  EXPECT_TRUE(store.list({}, call())->objects.empty());
  fault = {.trouble = Trouble::kLost};
  EXPECT_EQ(store.list({}, call()).error().code, Code::kUnavailable);
}

TEST(MemoryStore, AnUploadThatWasCleanedUpIsNotCommitted) {
  const posix::SystemClock clock;
  MemoryStore store(clock);
  auto writing = *store.upload("a", {}, call());
  EXPECT_EQ(store.unfinished(), 1U);
  EXPECT_EQ(store.clean_up("", clock.now() + base::Duration(60'000), call()), 1U);
  EXPECT_EQ(store.unfinished(), 0U);
  EXPECT_EQ(writing->commit(call()).error().code, Code::kAborted);
  EXPECT_TRUE(store.put("b", "abc", {}, call()));
  EXPECT_TRUE(store.damage("b", [](std::string& bytes) { bytes[1] = '?'; }));
  EXPECT_EQ(read_all(store, "b", 100, call()), "a?c");
  EXPECT_FALSE(store.damage("none", [](std::string&) {}));
}

TEST(Probe, TellsThatCreateOnlyDoesNotHold) {
  const posix::SystemClock clock;
  int puts = 0;
  MemoryStore lenient(clock, [&](std::string_view operation, const std::string&) {
    const bool second = operation == "put" && ++puts == 2;
    return second ? std::optional<Fault>({.trouble = Trouble::kLiedNothing}) : std::nullopt;
  });
  EXPECT_EQ(probe_create_only(lenient, "probe", call()), false);
}

TEST(LocalStore, NeedsAnAbsolutePathAndADirectory) {
  const posix::TestDir dir;
  EXPECT_EQ(open_local({.root = "a/b"}).error().code, Code::kInvalidArgument);
  const auto absent = open_local({.root = dir.path("none"), .must_exist = true});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(open_local({.root = dir.path("a/b")}));
  EXPECT_TRUE(open_local({.root = dir.path("a/b/"), .must_exist = true}));
}

// A volume that went away is not an empty store.
TEST(LocalStore, WithoutItsRootNothingIsKnown) {
  const posix::TestDir dir;
  const auto store = *open_local({.root = dir.path("root")});
  EXPECT_TRUE(store->list({.prefix = "shop/"}, call())->objects.empty());
  ASSERT_TRUE(posix::remove_tree(dir.path("root")));
  EXPECT_EQ(store->list({.prefix = "shop/"}, call()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->list({}, call()).error().code, Code::kFailedPrecondition);
}

TEST(LocalStore, FilesAreTheOwnersAlone) {
  const posix::TestDir dir;
  const auto store = *open_local({.root = dir.path("root")});
  ASSERT_TRUE(store->put("a/b", "x", {}, call()));
  EXPECT_EQ(posix::file_info(dir.path("root/a/b"))->mode, 0600U);
  EXPECT_EQ(posix::file_info(dir.path("root/a"))->mode, 0700U);
}

TEST(LocalStore, APersonsOwnFilesAndLinksDisturbNothing) {
  const posix::TestDir dir;
  const auto store = *open_local({.root = dir.path("root")});
  ASSERT_TRUE(store->put("a", "x", {}, call()));
  ASSERT_TRUE(posix::write_new(dir.path("root/.hidden"), "x"));
  ASSERT_EQ(::mkfifo(dir.path("root/pipe").c_str(), 0600), 0);
  const auto page = store->list({}, call());
  ASSERT_TRUE(page) << page.error().text();
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].key, "a");
  EXPECT_EQ(store->clean_up("", base::Instant(std::chrono::days(40'000)), call()), 0U);
  EXPECT_TRUE(posix::exists(dir.path("root/.hidden")).value());
}

// How often it is asked for a page.
class CountsPages final : public Store {
 public:
  explicit CountsPages(Store& store) : store_(store) {}
  [[nodiscard]] std::string name() const override { return store_.name(); }
  base::Result<Object> put(const std::string& key, std::string_view bytes,
                           const PutOptions& options, const Call& call) override {
    return store_.put(key, bytes, options, call);
  }
  base::Result<std::unique_ptr<Upload>> upload(const std::string& key, const PutOptions& options,
                                               const Call& call) override {
    return store_.upload(key, options, call);
  }
  base::Result<Object> get(const std::string& key, const Range& range, const Sink& sink,
                           const Call& call) override {
    return store_.get(key, range, sink, call);
  }
  base::Result<Object> stat(const std::string& key, const Call& call) override {
    return store_.stat(key, call);
  }
  base::Result<Page> list(const ListOptions& options, const Call& call) override {
    ++pages;
    return store_.list(options, call);
  }
  base::Status remove(const std::string& key, const Call& call) override {
    return store_.remove(key, call);
  }
  base::Result<unsigned> clean_up(const std::string& prefix, base::Instant before,
                                  const Call& call) override {
    return store_.clean_up(prefix, before, call);
  }
  unsigned pages = 0;

 private:
  Store& store_;
};

// For each page its folders are read from their beginning.
TEST(LocalStore, GivesManyObjectsAtOnce) {
  constexpr size_t kMany = 2'500;
  const posix::TestDir dir;
  const auto store = *open_local({.root = dir.path("root")});
  for (size_t i = 0; i < kMany; ++i)
    ASSERT_GE(::close(::creat(dir.path("root/" + std::to_string(i)).c_str(), 0600)), 0);
  CountsPages counted(*store);
  const auto all = list_all(counted, "", kMany, call());
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(all->size(), kMany);
  EXPECT_EQ(counted.pages, 1U);
  EXPECT_EQ(list_all(counted, "", kMany - 1, call()).error().code, Code::kResourceExhausted);
  // Who asks for fewer gets fewer.
  const auto first = store->list({.limit = 1'000}, call());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->objects.size(), 1'000U);
  EXPECT_EQ(first->next, (*all)[999].key);
}

TEST(LocalStore, SaysWhatToCheck) {
  const posix::TestDir dir;
  const auto store = *open_local({.root = dir.path("root")});
  ASSERT_TRUE(posix::write_new(dir.path("root/file"), "x"));
  const auto under = store->put("file/a", "x", {}, call());
  ASSERT_FALSE(under);
  EXPECT_EQ(under.error().code, Code::kFailedPrecondition) << under.error().text();
  EXPECT_TRUE(under.error().message.starts_with("put file/a in file://")) << under.error().text();
}

}  // namespace
}  // namespace objstore
