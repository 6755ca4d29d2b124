#include "object_server.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "posix/env.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace conformance {

std::string object_server_path(const std::string& name) {
  return posix::cache_dir().value_or("") + "/etcd-operator/object-stores/" + name;
}

ObjectServer::ObjectServer(What what) {
  constexpr base::Duration kStart{60'000}, kPause{20};
  if (!posix::file_info(what.argv.at(0))) {
    missing_ = what.argv.at(0) + " is not there: run tools/object-stores";
    return;
  }
  // Programs that run side by side begin at different places of the range.
  const auto first = static_cast<posix::Port>(29700 + ::getpid() % 16 * 5);
  const auto ports = posix::pick_free_ports({.first = first, .last = 29789}, 1, {});
  if (!ports) {
    missing_ = ports.error().text();
    return;
  }
  port_ = ports->at(0);
  for (auto& word : what.argv)
    if (const auto at = word.find("PORT"); at != std::string::npos)
      word.replace(at, 4, std::to_string(port_));
  const auto started =
      posix::spawn_detached({.launch = {.argv = what.argv, .env = what.env, .cwd = what.folder},
                             .log_file = what.folder + "/server.log"});
  if (!started) {
    missing_ = started.error().text();
    return;
  }
  process_ = *started;
  const auto until = posix::deadline_in(kStart);
  while (!posix::connect_loopback(port_, base::Duration(1'000), {})) {
    const auto alive = posix::is_alive(*process_);
    if (posix::deadline_in(base::Duration(0)) >= until || (alive.known() && !*alive)) {
      missing_ = what.argv[0] + " does not answer: " +
                 posix::read_file(what.folder + "/server.log", 1 << 20).value_or("no log");
      return;
    }
    static_cast<void>(posix::poll_until({}, posix::deadline_in(kPause), {}));
  }
}

ObjectServer::~ObjectServer() {
  if (process_) static_cast<void>(posix::send_signal(*process_, SIGKILL));
}

}  // namespace conformance
