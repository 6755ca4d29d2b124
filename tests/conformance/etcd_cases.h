// The table of cases, and what a case writes down.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/etcd_bench.h"

namespace conformance {

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

// What a case cannot go on without: where there is none, the case ends here and says so.
class NoAnswer final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
template <class T>
T must(base::Result<T> result) {
  if (!result) throw NoAnswer(result.error().message);
  return std::move(*result);
}

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
  bool tls = false;
};
std::vector<Group> one_member_groups();    // etcd_cases_one.cc
std::vector<Group> three_member_groups();  // etcd_cases_three.cc
std::vector<Group> life_groups();          // etcd_cases_life.cc
std::vector<Group> trust_groups();         // etcd_cases_trust.cc

}  // namespace conformance
