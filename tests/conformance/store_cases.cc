#include <algorithm>
#include <atomic>
#include <thread>

#include "pki/digest.h"
#include "store_bench.h"

namespace conformance {

using base::Code;
using objstore::Condition;
using objstore::When;

namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (auto& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace

std::vector<std::string> StoreConformance::names(const std::string& prefix, unsigned limit) {
  std::vector<std::string> found;
  objstore::ListOptions options{.prefix = key(prefix), .limit = limit};
  do {
    const auto page = store().list(options, call());
    if (!page) {
      ADD_FAILURE() << page.error().text();
      break;
    }
    EXPECT_LE(page->objects.size(), limit);
    for (const auto& object : page->objects) found.push_back(object.key.substr(key("").size()));
    options.page = page->next;
  } while (!options.page.empty());
  return found;
}

TEST_P(StoreConformance, KeepsWhatItIsGiven) {
  const auto bytes = pattern(100'000);
  const auto done = put("a", bytes);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->key, key("a"));
  EXPECT_EQ(done->size, bytes.size());
  EXPECT_EQ(read("a"), bytes);
  const auto seen = store().stat(key("a"), call());
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_EQ(seen->size, bytes.size());
  EXPECT_EQ(seen->tag, done->tag);
  EXPECT_FALSE(seen->tag.empty());
  EXPECT_GT(seen->modified, base::Instant(std::chrono::days(10'000)));
  EXPECT_TRUE(store().remove(key("a"), call()));
  EXPECT_EQ(store().stat(key("a"), call()).error().code, Code::kNotFound);
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_P(StoreConformance, KeepsAnEmptyObject) {
  const auto done = put("empty", "");
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->size, 0U);
  EXPECT_EQ(read("empty"), "");
  EXPECT_EQ(store().stat(key("empty"), call())->size, 0U);
}

TEST_P(StoreConformance, KnowsWhatIsAbsent) {
  const auto got = read("none");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kNotFound) << got.error().text();
  EXPECT_NE(got.error().message.find(key("none")), std::string::npos) << got.error().text();
  EXPECT_NE(got.error().message.find(store().name()), std::string::npos) << got.error().text();
  EXPECT_EQ(store().stat(key("none"), call()).error().code, Code::kNotFound);
  EXPECT_TRUE(store().remove(key("none"), call()));
  EXPECT_EQ(names("none"), std::vector<std::string>{});
}

TEST_P(StoreConformance, ReplacesAndTellsVersionsApart) {
  const auto first = put("a", "one");
  const auto second = put("a", "two");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->tag, second->tag);
  EXPECT_EQ(read("a"), "two");
  EXPECT_EQ(read("a", {.tag = second->tag}), "two");
  EXPECT_EQ(read("a", {.tag = first->tag}).error().code, Code::kAborted);
}

TEST_P(StoreConformance, CreatesOnlyWhatIsAbsent) {
  const Condition absent{.when = When::kAbsent};
  const auto first = put("a", "one", absent);
  ASSERT_TRUE(first) << first.error().text();
  const auto second = put("a", "two", absent);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists) << second.error().text();
  EXPECT_EQ(read("a"), "one");
  EXPECT_TRUE(store().remove(key("a"), call()));
  EXPECT_TRUE(put("a", "three", absent));
}

TEST_P(StoreConformance, ReplacesOnlyTheSame) {
  const auto first = put("a", "one");
  ASSERT_TRUE(first);
  const auto second = put("a", "two", {.when = When::kSame, .tag = first->tag});
  ASSERT_TRUE(second) << second.error().text();
  const auto late = put("a", "three", {.when = When::kSame, .tag = first->tag});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kAborted) << late.error().text();
  EXPECT_EQ(read("a"), "two");
  EXPECT_TRUE(store().remove(key("a"), call()));
  EXPECT_EQ(put("a", "four", {.when = When::kSame, .tag = second->tag}).error().code,
            Code::kAborted);
  EXPECT_EQ(store().stat(key("a"), call()).error().code, Code::kNotFound);
}

TEST_P(StoreConformance, OneOfManyWritersWins) {
  constexpr int kWriters = 8;
  std::atomic<int> won = 0, lost = 0;
  const auto name = key("a");
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i)
      writers.emplace_back([&, i] {
        const auto done =
            store().put(name, std::to_string(i), {.condition = {.when = When::kAbsent}}, call());
        if (done) ++won;
        // A server may also say that two came at once.
        if (!done &&
            (done.error().code == Code::kAlreadyExists || done.error().code == Code::kAborted))
          ++lost;
      });
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, kWriters - 1);
}

TEST_P(StoreConformance, StreamsInPartsAndShowsOnlyTheWhole) {
  const auto bytes = pattern(11 * kMiB + 12'345);
  auto writing = store().upload(key("big"), {.condition = {.when = When::kAbsent}}, call());
  ASSERT_TRUE(writing) << writing.error().text();
  for (size_t at = 0, step = 1; at < bytes.size(); at += step, step = step * 3 + 1) {
    step = std::min(step, 3 * kMiB + 17);
    const auto wrote = (*writing)->write(std::string_view(bytes).substr(at, step), call());
    ASSERT_TRUE(wrote) << wrote.error().text();
  }
  EXPECT_EQ(store().stat(key("big"), call()).error().code, Code::kNotFound);
  EXPECT_EQ(names(), std::vector<std::string>{});
  const auto done = (*writing)->commit(call());
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->size, bytes.size());
  EXPECT_EQ(store().stat(key("big"), call())->tag, done->tag);
  const auto back = read("big");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(pki::sha256(*back), pki::sha256(bytes));
  EXPECT_EQ(read("big", {.offset = 8 * kMiB - 3, .length = 10}), bytes.substr(8 * kMiB - 3, 10));
}

TEST_P(StoreConformance, AStreamThatCreatesLosesToAnother) {
  for (const size_t size : {size_t{1000}, 9 * kMiB}) {
    const auto name = "s" + std::to_string(size);
    auto writing = store().upload(key(name), {.condition = {.when = When::kAbsent}}, call());
    ASSERT_TRUE(writing) << writing.error().text();
    ASSERT_TRUE((*writing)->write(pattern(size), call()));
    ASSERT_TRUE(put(name, "the other"));
    const auto done = (*writing)->commit(call());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kAlreadyExists) << done.error().text();
    EXPECT_EQ(read(name), "the other");
    (*writing)->discard(call());
  }
}

TEST_P(StoreConformance, AnAbandonedStreamLeavesNoObject) {
  for (const size_t size : {size_t{0}, size_t{1000}, 9 * kMiB}) {
    auto discarded = store().upload(key("a"), {}, call());
    ASSERT_TRUE(discarded);
    ASSERT_TRUE((*discarded)->write(pattern(size), call()));
    (*discarded)->discard(call());
    auto dropped = store().upload(key("b"), {}, call());
    ASSERT_TRUE(dropped);
    ASSERT_TRUE((*dropped)->write(pattern(size), call()));
  }
  EXPECT_EQ(names(), std::vector<std::string>{});
  EXPECT_EQ(store().stat(key("a"), call()).error().code, Code::kNotFound);
  EXPECT_EQ(store().stat(key("b"), call()).error().code, Code::kNotFound);
}

TEST_P(StoreConformance, CleansUpWhatIsUnfinishedAndNothingElse) {
  ASSERT_TRUE(put("x/whole", "1"));
  auto mine = store().upload(key("x/mine"), {}, call());
  auto other = store().upload(key("y/other"), {}, call());
  ASSERT_TRUE(mine && other);
  ASSERT_TRUE((*mine)->write(pattern(9 * kMiB), call()));
  ASSERT_TRUE((*other)->write(pattern(9 * kMiB), call()));
  const auto long_ago = base::Instant(std::chrono::days(10'000));
  const auto some_day = base::Instant(std::chrono::days(40'000));
  EXPECT_EQ(store().clean_up(key("x/"), long_ago, call()), 0U);
  const auto cleaned = store().clean_up(key("x/"), some_day, call());
  ASSERT_TRUE(cleaned) << cleaned.error().text();
  EXPECT_EQ(*cleaned, bench_->keeps_unfinished() ? 1U : 0U);
  const auto done = (*other)->commit(call());
  EXPECT_TRUE(done) << done.error().text();
  EXPECT_EQ(names(), (std::vector<std::string>{"x/whole", "y/other"}));
}

TEST_P(StoreConformance, GivesRanges) {
  ASSERT_TRUE(put("a", "0123456789"));
  EXPECT_EQ(read("a", {.offset = 3, .length = 4}), "3456");
  EXPECT_EQ(read("a", {.offset = 3}), "3456789");
  EXPECT_EQ(read("a", {.length = 1}), "0");
  EXPECT_EQ(read("a", {.offset = 8, .length = 100}), "89");
  EXPECT_EQ(read("a", {.offset = 9}), "9");
  for (const std::uint64_t offset : {10U, 11U}) {
    const auto beyond = read("a", {.offset = offset});
    ASSERT_FALSE(beyond) << offset;
    EXPECT_EQ(beyond.error().code, Code::kInvalidArgument) << beyond.error().text();
  }
  EXPECT_EQ(read("a", {.length = 0}).error().code, Code::kInvalidArgument);
  const auto whole = store().get(
      key("a"), {.offset = 3, .length = 4}, [](std::string_view) { return base::Status(); },
      call());
  EXPECT_EQ(whole->size, 10U);
}

TEST_P(StoreConformance, AReaderMayEndIt) {
  ASSERT_TRUE(put("a", pattern(3 * kMiB)));
  size_t parts = 0;
  const auto ended = store().get(
      key("a"), {},
      [&](std::string_view) {
        ++parts;
        return base::fail(Code::kResourceExhausted, "the scratch disk is full");
      },
      call());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kResourceExhausted);
  EXPECT_NE(ended.error().message.find("scratch disk"), std::string::npos);
  EXPECT_EQ(parts, 1U);
}

TEST_P(StoreConformance, ListsInOrderByPages) {
  std::vector<std::string> expected;
  for (const auto* name : {"a", "b-1", "b/1", "b/10", "b/2", "b/c/3", "b0", "c/x", "c/y", "d"}) {
    ASSERT_TRUE(put(name, name));
    expected.emplace_back(name);
  }
  std::ranges::sort(expected);
  EXPECT_EQ(names(), expected);
  for (const unsigned limit : {1U, 3U, 5U, 10U}) EXPECT_EQ(names("", limit), expected) << limit;
  EXPECT_EQ(names("b/"), (std::vector<std::string>{"b/1", "b/10", "b/2", "b/c/3"}));
  EXPECT_EQ(names("b", 2), (std::vector<std::string>{"b-1", "b/1", "b/10", "b/2", "b/c/3", "b0"}));
  EXPECT_EQ(names("b/1"), (std::vector<std::string>{"b/1", "b/10"}));
  EXPECT_EQ(names("nothing/"), std::vector<std::string>{});
  const auto page = store().list({.prefix = key("b/10")}, call());
  ASSERT_TRUE(page && page->objects.size() == 1);
  EXPECT_EQ(page->objects[0].size, 4U);
  EXPECT_GT(page->objects[0].modified, base::Instant(std::chrono::days(10'000)));
}

TEST_P(StoreConformance, TakesOddNames) {
  std::vector<std::string> odd = {"a b",   "a+b", "a%20b", "a&b",  "a=b", "a'b", "a\"b", "a<b>",
                                  "a?b#c", "a:b", "a@b",   "a!*b", "(a)", "~a",  "ä€😀", "a,b;c$"};
  for (const auto& name : odd) {
    const auto done = put("f/" + name, name);
    ASSERT_TRUE(done) << name << ": " << done.error().text();
    EXPECT_EQ(read("f/" + name), name);
  }
  std::ranges::sort(odd);
  auto found = names("f/", 5);
  for (auto& name : found) name = name.substr(2);
  EXPECT_EQ(found, odd);
  for (const auto& name : odd) {
    EXPECT_TRUE(store().remove(key("f/" + name), call())) << name;
    EXPECT_EQ(store().stat(key("f/" + name), call()).error().code, Code::kNotFound) << name;
  }
}

TEST_P(StoreConformance, RefusesNamesThatSomeStoreCannotHold) {
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string("a/../b"), std::string("a/.b"), std::string("a\nb"), std::string("a\\b"),
        std::string("a\0b", 3), std::string("\xff"), std::string(201, 'x'),
        std::string(901, 'x')}) {
    EXPECT_EQ(store().put(name, "x", {}, call()).error().code, Code::kInvalidArgument) << name;
    EXPECT_EQ(store().remove(name, call()).error().code, Code::kInvalidArgument) << name;
  }
}

TEST_P(StoreConformance, ANameIsNoFolderAsWell) {
  ASSERT_TRUE(put("d/x", "1"));
  const auto done = put("d", "2");
  // Where it is possible nothing may be hidden by it.
  if (done) EXPECT_EQ(names(), (std::vector<std::string>{"d", "d/x"}));
  if (!done) EXPECT_EQ(done.error().code, Code::kFailedPrecondition) << done.error().text();
  EXPECT_EQ(read("d/x"), "1");
  EXPECT_EQ(store().stat(key("d/x/y"), call()).error().code, Code::kNotFound);
}

TEST_P(StoreConformance, EndsWhenAskedToAndAtItsDeadline) {
  std::stop_source source;
  source.request_stop();
  auto stopped = call();
  stopped.stop = source.get_token();
  EXPECT_EQ(store().put(key("a"), "x", {}, stopped).error().code, Code::kCancelled);
  EXPECT_EQ(store().stat(key("a"), stopped).error().code, Code::kCancelled);
  const objstore::Call past{.deadline = posix::deadline_in(base::Duration(-1))};
  EXPECT_EQ(store().put(key("a"), "x", {}, past).error().code, Code::kUnavailable);
  EXPECT_EQ(store().list({.prefix = key("")}, past).error().code, Code::kUnavailable);
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_P(StoreConformance, AProbeTellsThatCreateOnlyHolds) {
  const auto holds = objstore::probe_create_only(store(), key("probe"), call());
  ASSERT_TRUE(holds) << holds.error().text();
  EXPECT_TRUE(*holds);
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_P(StoreConformance, ReadsWholeAndListsAllWithinLimits) {
  ASSERT_TRUE(put("a", "12345"));
  ASSERT_TRUE(put("b", "1"));
  EXPECT_EQ(objstore::read_all(store(), key("a"), 5, call()), "12345");
  EXPECT_EQ(objstore::read_all(store(), key("a"), 4, call()).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ(objstore::list_all(store(), key(""), 2, call())->size(), 2U);
  EXPECT_EQ(objstore::list_all(store(), key(""), 1, call()).error().code, Code::kResourceExhausted);
}

}  // namespace conformance
