// Reads and writes objects of one cluster: each write reads first whether it may.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "json/value.h"
#include "kube/client.h"

namespace k8s {

// A code of DeadlineExceeded in an error of a write: it may have happened.
class Objects {
 public:
  // `client` must outlive it.
  Objects(kube::Client& client, base::ClusterKey key, base::Duration deadline)
      : client_(client), key_(std::move(key)), deadline_(deadline) {}

  using Read = base::Result<std::optional<json::Value>>;
  // No value: the server says that it is not there.
  Read read(const kube::Resource& resource, const std::string& name, const std::stop_token& stop);
  // Ours, or not there. FailedPrecondition: it is somebody else's. `owner`: the uid of our cluster
  // object; empty: of a kind that has no owner, our labels tell.
  Read read_ours(const kube::Resource& resource, const std::string& name, const std::string& owner,
                 const std::stop_token& stop);
  // Why those that were met and were not ours still are not. Reads each of them again, but for
  // names that nobody needs any more.
  std::vector<std::string> foreign_still(const std::set<std::string>& unneeded,
                                         const std::stop_token& stop);
  base::Result<json::Value> list(const kube::Resource& resource, const std::string& labels,
                                 const std::stop_token& stop);

  // Makes it so, and gives what there is then. Writes nothing where it is so already; fields that
  // others added stay.
  base::Result<json::Value> ensure(const kube::Resource& resource, json::Value wanted,
                                   const std::stop_token& stop);
  // By its uid, so that nothing else of that name goes. Done if it is not there.
  base::Status remove(const kube::Resource& resource, const std::string& name,
                      const std::string& owner, const std::stop_token& stop);
  // One request; its answer's object.
  base::Result<json::Value> send(const kube::Request& request, const std::stop_token& stop);

  [[nodiscard]] const base::ClusterKey& key() const { return key_; }

 private:
  kube::Client& client_;
  const base::ClusterKey key_;
  const base::Duration deadline_;
  struct Met {
    kube::Resource resource;
    std::string name, owner, why;
  };
  std::map<std::string, Met> foreign_;  // by kind and name
};

// Why it is not ours; empty: it is.
std::string foreign(const json::Value& object, const std::string& owner,
                    const base::ClusterKey& key);
// With the stamp of its own text, by which a field that is no longer wanted is noticed.
json::Value stamped(json::Value wanted);
// Every field of `wanted`, which is stamped, is in `present`, and it had no more fields before.
bool is_as(const json::Value& present, const json::Value& wanted);
// It was made as `wanted`, and somebody has changed it since.
bool is_drifted(const json::Value& present, const json::Value& wanted);

}  // namespace k8s
