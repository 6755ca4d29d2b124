// What every command is given, and what it answers with.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "adm/flags.h"
#include "adm/host.h"
#include "base/result.h"
#include "base/time.h"
#include "json/value.h"

namespace adm {

struct Context {
  Flags flags;
  const base::Clock& clock;
  std::stop_token stop;
  std::string_view guard;  // the bytes of etcd-guard, which this program carries
  std::function<void(const std::string&)> say;  // one line of progress for a person
  // A question that only "yes" answers; false also where nobody can be asked.
  std::function<bool(const std::string&)> ask;
  std::string program = {};  // of this process, for the listener that it leaves behind
  // Told "NAME.before" and "NAME.after" of each step, for tests that end the program there; may be
  // empty.
  std::function<void(const std::string&)> fault = {};

  [[nodiscard]] Places places() const { return {flags.state_dir}; }
};

// The result, for people and for programs.
struct Answer {
  std::string text;
  json::Value value;
  bool failed = false;  // what was asked for was looked at, and is not well: exit code 1
};

using Reply = base::Result<Answer>;

}  // namespace adm
