// One command line of a transcript: NAME WORD… KEY=VALUE…; quotes hold blanks together.
#pragma once

#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/fact.h"
#include "base/ids.h"
#include "base/time.h"

namespace scenario {

// What is wrong with a transcript; the runner adds file and line.
struct Mistake : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Words {
 public:
  explicit Words(const std::string& line);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool empty() const { return name_.empty(); }
  // The next plain word; a mistake if there is none.
  std::string next();
  [[nodiscard]] bool more() const { return at_ < plain_.size(); }
  // Takes KEY=VALUE; false: it is not given.
  bool take(const std::string& key, std::string& value);
  bool flag(const std::string& word);  // takes a plain word, wherever it is
  void done() const;                   // a mistake if anything was not taken

  // Sets `to` from KEY=VALUE if it is given.
  void set(const std::string& key, std::string& to);
  void set(const std::string& key, bool& to);  // yes | no
  void set(const std::string& key, int& to);
  void set(const std::string& key, std::int64_t& to);
  void set(const std::string& key, std::uint64_t& to);
  void set(const std::string& key, std::uint32_t& to);
  void set(const std::string& key, base::Duration& to);
  // KEY=DURATION before (`sign` -1) or after `now`.
  void set(const std::string& key, base::Instant& to, base::Instant now, int sign);
  template <class E>
  using Choices = std::initializer_list<std::pair<const char*, E>>;
  template <class E>
  void choose(const std::string& key, E& to, Choices<E> choices) {
    std::string value;
    if (take(key, value)) to = pick(value, choices);
  }
  // The same for a fact: also unknown and absent.
  template <class E>
  void choose(const std::string& key, base::Fact<E>& to, Choices<E> choices) {
    std::string value;
    if (!take(key, value)) return;
    if (value == "unknown") {
      to = base::Fact<E>::unknown("it could not be read");
    } else if (value == "absent") {
      to = base::Fact<E>::absent();
    } else {
      to = pick(value, choices);
    }
  }
  template <class E>
  static E pick(const std::string& value, Choices<E> choices) {
    std::string known;
    for (const auto& [name, e] : choices) {
      if (value == name) return e;
      known += std::string(" ") + name;
    }
    throw Mistake("\"" + value + "\" is not one of:" + known);
  }

 private:
  std::string name_;
  std::vector<std::string> plain_;
  std::size_t at_ = 0;
  std::map<std::string, std::string> keyed_;
};

base::Duration duration(const std::string& text);
std::int64_t integer(const std::string& text);
std::uint64_t hex(const std::string& text);

}  // namespace scenario
