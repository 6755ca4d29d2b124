// Talks to the members of one cluster: a connection each, kept as long as it is right.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"
#include "plan/observation.h"

namespace live {

// The product's is etcd::connect.
using Connect =
    std::function<std::unique_ptr<etcd::EtcdApi>(const std::string& url, const etcd::Tls& tls)>;

// For one thread at a time; the connections themselves may be used by several.
class Endpoints {
 public:
  explicit Endpoints(Connect connect) : connect_(std::move(connect)) {}

  // Other certificates end the connections that were made with the old ones.
  void use(const etcd::Tls& tls);
  std::shared_ptr<etcd::EtcdApi> at(const std::string& url);
  void keep_only(const std::map<std::string, std::string>& urls);  // values: what is still needed

 private:
  Connect connect_;
  etcd::Tls tls_;
  std::map<std::string, std::shared_ptr<etcd::EtcdApi>> open_;
};

// "host:port" of a URL, whatever its scheme.
std::string host_port(const std::string& url);

plan::EtcdStatus to_plan(const etcd::MemberStatus& status);
plan::Membership to_plan(const etcd::MemberList& list);
plan::Outcome to_plan(etcd::Outcome outcome);

}  // namespace live
