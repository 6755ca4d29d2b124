// Looks at a cluster that bear with a machine that is slow or stands still for some seconds.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "etcd/api.h"
#include "json/json.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace e2e {

using Connect = std::function<std::shared_ptr<etcd::EtcdApi>()>;
using Command = std::function<posix::RunResult()>;

inline std::string read(const std::string& file) {
  return posix::read_file(file, size_t{1} << 20).value_or("");
}

inline bool eventually(const std::function<bool()>& done,
                       base::Duration limit = std::chrono::seconds(60)) {
  const auto until = posix::deadline_in(limit);
  while (!done()) {
    if (posix::deadline_in({}) >= until) return false;
    (void)posix::poll_until({}, posix::deadline_in(std::chrono::milliseconds(100)), {});
  }
  return true;
}

// Of `doctor -o json`: the problems, without those of the machine that all hosts of a test share,
// its disk and its clock; -1: it is no answer of doctor's.
inline int problems_of(const json::Value& doctor) {
  const auto* findings = doctor.find("findings");
  if (findings == nullptr || findings->if_array() == nullptr) return -1;
  int out = 0;
  for (const auto& f : *findings->if_array()) {
    const auto what = json::get_string(f, "what").value_or("");
    const bool machine = what.starts_with("slow disk") || what.starts_with("the clock of");
    out += json::get_string(f, "level") == "problem" && !machine ? 1 : 0;
  }
  return out;
}

// What it says when it ends with 0, or at the end of a minute.
inline posix::RunResult until_good(const Command& command) {
  posix::RunResult ran;
  (void)eventually([&] { return (ran = command()).exit_code == 0; });
  return ran;
}

// `doctor -o json` finds no problem but of the machine.
inline bool is_sound(const Command& doctor) {
  return eventually([&] {
    const auto ran = doctor();
    const auto told = json::parse(ran.out);
    return ran.exit_code == 0 || (told && problems_of(*told) == 0);
  });
}

// Both are asked again until there is an answer; what it is counts.
inline std::optional<std::string> get_from(const Connect& connect, const std::string& key) {
  std::optional<std::string> value;
  (void)eventually([&] {
    const auto found = connect()->range(key, "", false, 0, std::chrono::seconds(10));
    if (found) value = found->kvs.size() == 1 ? found->kvs.front().value : "";
    return found.has_value();
  });
  return value;
}

inline bool put_to(const Connect& connect, const std::string& key, const std::string& value) {
  return eventually(
      [&] { return connect()->put(key, value, std::chrono::seconds(10)).has_value(); });
}

}  // namespace e2e
