// A watcher against a server that cuts, delays, forgets and errs: the store is always what the
// server once was, never goes back, and comes to what it is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/text.h"
#include "json/json.h"
#include "kube/watcher.h"

namespace kube {
namespace {

using base::Duration;
using State = std::map<std::string, int>;  // name, version

struct Dice final : base::Random {
  explicit Dice(unsigned long long seed) : engine(seed) {}
  unsigned long long next() override { return engine(); }
  unsigned long long below(unsigned long long n) { return engine() % n; }
  bool one_in(unsigned n) { return below(n) == 0; }
  std::mt19937_64 engine;
};

struct Event {
  int version;
  std::string type, name;
};

struct ToyServer {
  int version = 1;
  State objects;
  std::map<int, State> history = {{1, {}}};  // what was true at each version
  std::vector<Event> events;
  int forgotten = 0;  // events up to this version are gone

  void change(Dice& dice) {
    const auto name = fmt::format("p{}", dice.below(6));
    ++version;
    const bool there = objects.contains(name);
    if (there && dice.one_in(2)) {
      objects.erase(name);
      events.push_back({version, "DELETED", name});
    } else {
      objects[name] = version;
      events.push_back({version, there ? "MODIFIED" : "ADDED", name});
    }
    history[version] = objects;
  }
  static std::string object(const std::string& name, int at) {
    return fmt::format(R"({{"metadata":{{"name":"{}","resourceVersion":"{}"}}}})", name, at);
  }
  [[nodiscard]] std::string after(int seen, Dice& dice) const {
    std::string text;
    for (const auto& e : events) {
      if (e.version <= seen) continue;
      text += fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", e.type, object(e.name, e.version));
      if (dice.one_in(5))
        text += fmt::format("{{\"type\":\"BOOKMARK\",\"object\":{}}}\n", object("", e.version));
    }
    return text;
  }
};

class World {
 public:
  explicit World(unsigned long long seed)
      : dice_(seed), watcher_({.resource = kNodes, .page = 2}, store_, dice_) {}

  void run() {
    for (int i = 0; i < 60; ++i) {
      for (auto n = dice_.below(4); n > 0; --n) server_.change(dice_);
      if (dice_.one_in(6)) server_.forgotten = server_.version - static_cast<int>(dice_.below(3));
      step(/*faults=*/true);
      if (testing::Test::HasFatalFailure()) return;
    }
    for (int i = 0; i < 60 && watcher_.version() != std::to_string(server_.version); ++i)
      step(/*faults=*/false);
    ASSERT_EQ(watcher_.version(), std::to_string(server_.version));
    ASSERT_EQ(shown(), server_.objects);
    ASSERT_EQ(told_, server_.objects);
  }

 private:
  State shown() const {
    State out;
    for (const auto& object : store_.all())
      out[*object->at("metadata.name")->if_string()] =
          static_cast<int>(*base::parse_int(*object->at("metadata.resourceVersion")->if_string()));
    return out;
  }

  void tell(const std::vector<Change>& changes) {
    for (const auto& change : changes) {
      ASSERT_EQ(change.before != nullptr, told_.contains(change.name.name));
      if (change.after == nullptr)
        told_.erase(change.name.name);
      else
        told_[change.name.name] = static_cast<int>(
            *base::parse_int(*change.after->at("metadata.resourceVersion")->if_string()));
    }
    if (!store_.complete()) return;
    const int version = static_cast<int>(*base::parse_int(watcher_.version()));
    ASSERT_GE(version, last_);
    last_ = version;
    ASSERT_EQ(shown(), server_.history.at(version));
    ASSERT_EQ(told_, shown());
  }

  static Failure failure(int status) {
    Failure f;
    f.status = status;
    f.code = status == 410 ? base::Code::kAborted : base::Code::kUnavailable;
    f.message = "toy";
    return f;
  }

  void step(bool faults) {
    const auto next = watcher_.next();
    now_ = std::max(now_, next.not_before);
    if (next.doing == Watcher::Doing::kList)
      answer_list(next.request, faults);
    else
      answer_watch(next.request, faults);
  }

  static std::string asked(const Request& request, const std::string& key) {
    for (const auto& [k, v] : request.query)
      if (k == key) return v;
    return "";
  }

  // A page names the version that it belongs to and where it goes on: "7:2".
  void answer_list(const Request& request, bool faults) {
    if (faults && dice_.one_in(5)) {
      const int codes[] = {0, 429, 500, 503};
      return tell(watcher_.listed(std::unexpected(failure(codes[dice_.below(4)])), now_));
    }
    const auto token = asked(request, "continue");
    int at = server_.version;
    size_t from = 0;
    if (!token.empty()) {
      const auto parts = base::split(token, ':');
      at = static_cast<int>(*base::parse_int(parts[0]));
      from = static_cast<size_t>(*base::parse_int(parts[1]));
      if (at < server_.forgotten) return tell(watcher_.listed(std::unexpected(failure(410)), now_));
    }
    const size_t limit = asked(request, "limit").empty() ? 1000 : 2;
    std::string items;
    size_t i = 0;
    for (const auto& [name, version] : server_.history.at(at)) {
      if (i >= from && i < from + limit)
        items += (items.empty() ? "" : ",") + ToyServer::object(name, version);
      ++i;
    }
    if (faults && dice_.one_in(4)) items += items.empty() ? "{}" : ",{}";  // a bad object
    const auto more = i > from + limit ? fmt::format("{}:{}", at, from + limit) : "";
    tell(watcher_.listed(
        *json::parse(
            fmt::format(R"({{"metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
                        at, more, items)),
        now_));
  }

  void answer_watch(const Request& request, bool faults) {
    const int from = static_cast<int>(*base::parse_int(asked(request, "resourceVersion")));
    if (from < server_.forgotten) {
      if (dice_.one_in(2)) return watcher_.ended(std::unexpected(failure(410)), now_);
      tell(watcher_.heard("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n",
                          now_));
      EXPECT_TRUE(watcher_.ended_early());
      return watcher_.ended({}, now_);
    }
    auto text = server_.after(from, dice_);
    if (faults && dice_.one_in(8)) text += "{\"type\":\"MODI\n";
    if (faults && dice_.one_in(3)) text.resize(dice_.below(text.size() + 1));  // cut, or late
    std::string_view rest = text;
    while (!rest.empty() && !watcher_.ended_early()) {
      const auto size = std::min<size_t>(rest.size(), 1 + dice_.below(200));
      tell(watcher_.heard(rest.substr(0, size), now_));
      rest.remove_prefix(size);
    }
    if (faults && dice_.one_in(3)) return watcher_.ended(std::unexpected(failure(0)), now_);
    watcher_.ended({}, now_);
  }

  Dice dice_;
  ToyServer server_;
  Store store_;
  Watcher watcher_;
  base::Tick now_{};
  int last_ = 0;
  State told_;  // what one who only hears of changes believes
};

TEST(WatcherProperty, TheStoreIsWhatTheServerOnceWas) {
  for (unsigned long long seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    World(seed).run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace kube
