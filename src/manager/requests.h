// What the operator does with each request of the control socket.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "base/time.h"
#include "drivers/host/platform.h"
#include "json/value.h"
#include "manager/control.h"
#include "manager/fleet.h"
#include "manager/intents.h"

namespace manager {

// Thread-safe; all references must outlive it.
class Requests {
 public:
  struct Parts {
    host::Platform& platform;
    Intents& intents;
    Fleet& fleet;
    const base::Clock& clock;
    std::function<void(const base::ClusterKey&)> wake;
    std::function<void()> shutdown;
    std::function<json::Object()> about;  // of the operator: version, pid, httpAddress, …
  };
  explicit Requests(Parts parts) : parts_(std::move(parts)) {}

  base::Result<json::Value> handle(const Request& request, const std::stop_token& stop);
  // {operator, items, problems}
  [[nodiscard]] json::Value status() const;

 private:
  using Answer = base::Result<json::Value>;
  Answer status_of(const Request& request) const;
  Answer plan(const Request& request, const std::stop_token& stop);
  Answer plan_text(const std::string& text, const std::stop_token& stop);
  Answer events(const Request& request) const;
  Answer connect(const base::ClusterKey& key) const;
  Answer approve(const Request& request, const base::ClusterKey& key);
  Answer backup_now(const base::ClusterKey& key);
  Answer restore(const Request& request, const base::ClusterKey& key);
  Answer switch_to(const Request& request, const base::ClusterKey& key);

  const Parts parts_;
};

// {endpoints, cacert, cert, key, etcdctl?}
json::Value connection_view(const host::Connection& connection);

}  // namespace manager
