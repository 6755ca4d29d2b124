// What a case of the conformance of the fake etcd may do: the same on the fake and on processes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "etcd/api.h"
#include "guard/files.h"
#include "posix/net.h"
#include "sim/world/etcd_process.h"

namespace conformance {

// A value that a case writes so that its bytes can be found and spoilt.
constexpr const char* kVictim = "the-value-that-is-spoilt";
constexpr base::Duration kCall{10'000}, kLimit{30'000};

struct Launch {
  std::vector<int> list = {};  // of initial-cluster, by number
  bool existing = false;
  std::string token = "test", name = {};  // empty: of its number
  std::string version = {};               // empty: of the bench
  std::vector<std::string> flags = {};
};

struct Ended {
  int code = -1;
  guard::Class klass = guard::Class::kNone;
  std::string signature;  // by which the guard knew it
};

class Bench {
 public:
  Bench(std::string version, std::vector<posix::Port> ports)
      : version_(std::move(version)), ports_(std::move(ports)) {}
  virtual ~Bench() = default;

  virtual void launch(int n, const Launch& how) = 0;
  virtual void kill(int n) = 0;  // SIGKILL; its data stays
  virtual void pause(int n) = 0;
  virtual void resume(int n) = 0;
  // Data of a stopped member.
  virtual void wipe(int n) = 0;
  virtual void keep(int n) = 0;      // a copy
  virtual void put_back(int n) = 0;  // the copy in its place
  virtual void spoil(int n, sim::Damage how) = 0;
  // etcdutl snapshot restore of what `from` holds, as member `n` alone, under `token`.
  virtual bool restore(int from, int n, const std::string& token) = 0;

  virtual std::unique_ptr<etcd::EtcdApi> connect(int n) = 0;
  // Lets time pass until it holds.
  virtual bool until(const std::function<bool()>& condition, base::Duration limit = kLimit) = 0;
  // Of a process that ends by itself; nothing if it runs on.
  virtual std::optional<Ended> ended(int n) = 0;

  [[nodiscard]] std::string url(size_t place) const {
    return "http://127.0.0.1:" + std::to_string(ports_[place]);
  }
  [[nodiscard]] std::string client_url(int n) const { return url(static_cast<size_t>(n) * 2); }
  [[nodiscard]] std::string peer_url(int n) const { return url(static_cast<size_t>(n) * 2 + 1); }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] bool is_35() const { return version_.starts_with("3.5"); }

  etcd::EtcdApi& api(int n) {
    auto& kept = apis_[n];
    if (!kept) kept = connect(n);
    return *kept;
  }
  // Members 0 to n-1 of one bootstrap.
  bool form(int n, const std::vector<std::string>& flags = {});
  bool ready(int n) {
    return until([&] { return api(n).quorum_read(kCall).has_value(); });
  }
  int leader(int of);
  base::MemberId id(int n) { return api(n).status(kCall).value_or(etcd::MemberStatus()).id; }
  // etcd refuses adds for some seconds after a start; another refusal is the answer.
  etcd::Change<etcd::Member> add(int through, const std::string& url, bool learner);

 private:
  std::string version_;
  std::vector<posix::Port> ports_;
  std::map<int, std::unique_ptr<etcd::EtcdApi>> apis_;
};

std::unique_ptr<Bench> fake_bench(const std::string& version, std::vector<posix::Port> ports);
std::unique_ptr<Bench> real_bench(const std::string& version, std::vector<posix::Port> ports);

// What a case saw, line by line.
class Script {
 public:
  void note(const std::string& what, const std::string& seen) {
    lines_.push_back(what + ": " + seen);
  }
  void note(const std::string& what, const char* seen) { note(what, std::string(seen)); }
  void note(const std::string& what, bool seen) { note(what, seen ? "yes" : "no"); }
  void count(const std::string& what, std::int64_t seen) { note(what, std::to_string(seen)); }
  void note(const std::string& what, const std::optional<Ended>& end);
  template <class T>
  bool call(const std::string& what, const base::Result<T>& result) {
    note(what, result ? "ok" : text_of(result.error()));
    return result.has_value();
  }
  template <class T>
  bool call(const std::string& what, const etcd::Change<T>& change) {
    note(what, change ? "ok" : text_of(change.error()));
    return change.has_value();
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  static std::string text_of(const base::Error& error);
  static std::string text_of(const etcd::Failure& failure);
  std::vector<std::string> lines_;
};

// The cases of a group run in this order on one bench of their own.
struct Case {
  const char* name;
  void (*run)(Bench& bench, Script& script);
};
struct Group {
  const char* name;
  int members;  // that are formed before; 0: none
  std::vector<std::string> flags;
  std::vector<Case> cases;
};
std::vector<Group> one_member_groups();    // etcd_cases_one.cc
std::vector<Group> three_member_groups();  // etcd_cases_three.cc
std::vector<Group> life_groups();          // etcd_cases_life.cc

Ended judge_end(int code, int signal, const std::string& log);

}  // namespace conformance
