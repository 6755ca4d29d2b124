// A server of objects that is not ours, started for the tests on loopback. Where it cannot be had,
// `missing` says so, and the tests that need it do not count as passed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "posix/net.h"
#include "posix/process.h"
#include "posix/test_dir.h"

namespace conformance {

// The cache of tools/object-stores.
std::string object_server_path(const std::string& name);

class ObjectServer {
 public:
  // `argv` may hold "PORT", also within a word. The program is `argv[0]`.
  struct What {
    std::vector<std::string> argv, env;
    std::string folder;  // of its data, which it works in
  };
  explicit ObjectServer(What what);
  ObjectServer(const ObjectServer&) = delete;
  ObjectServer& operator=(const ObjectServer&) = delete;
  ~ObjectServer();

  [[nodiscard]] const std::string& missing() const { return missing_; }  // empty: it answers
  [[nodiscard]] posix::Port port() const { return port_; }

 private:
  std::string missing_;
  posix::Port port_ = 0;
  std::optional<posix::ProcessId> process_;
};

}  // namespace conformance
