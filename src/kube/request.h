// What is said to a Kubernetes API server, as values: pure builders, no connection. Credentials are
// not in here, so a request may be logged; its body may not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "json/value.h"
#include "kube/resource.h"

namespace kube {

enum class Method { kGet, kPost, kPut, kPatch, kDelete };
std::string_view name_of(Method method);  // "GET"

// Who is served first when requests have to wait.
enum class Priority {
  kUrgent,  // the lease: without it nothing else may be sent
  kNormal,  // passes
  kLow      // events, audits
};

struct Request {
  Method method = Method::kGet;
  std::string path = {};                                        // escaped
  std::vector<std::pair<std::string, std::string>> query = {};  // not escaped
  std::string content_type = {}, body = {};                     // both empty: no body
  std::string what = {};                                        // "delete pods shop/orders-0"
  // Why it must not be sent: a delete without a name would delete everything there is.
  std::string fault = {};
  Priority priority = Priority::kNormal;

  [[nodiscard]] std::string target() const;  // path and query, escaped
  [[nodiscard]] bool changes() const { return method != Method::kGet; }
};

struct Name {
  std::string ns = {};  // empty: of the cluster
  std::string name = {};
  auto operator<=>(const Name&) const = default;
  [[nodiscard]] std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

// As the server keeps it beside every field that we wrote.
inline constexpr std::string_view kFieldManager = "etcd-operator";

struct Selection {
  std::string labels = {}, fields = {};  // selectors, as kubectl takes them; empty: all
};
struct ListOptions {
  Selection selection = {};
  unsigned limit = 500;   // of one page; 0: everything at once
  std::string page = {};  // metadata.continue of the page before
  // Empty: the newest state; "0": whatever the server has in its cache.
  std::string resource_version = {};
};
struct WatchOptions {
  Selection selection = {};
  std::string resource_version = {};  // changes after it
  base::Duration timeout{300'000};    // the server ends it then
};

Request get(const Resource& resource, const Name& name);
// An empty namespace: all of them.
Request list(const Resource& resource, std::string_view ns, const ListOptions& options);
Request watch(const Resource& resource, std::string_view ns, const WatchOptions& options);

Request create(const Resource& resource, std::string_view ns, const json::Value& object);
// The object's own metadata.resourceVersion, if it has one, is the one that is replaced.
Request replace(const Resource& resource, const Name& name, const json::Value& object);

struct ApplyOptions {
  std::string manager = std::string(kFieldManager);
  bool force = true;  // take fields over that another manager holds
};
// Server-side apply: makes it where it is absent; fields that are no longer named go away.
Request apply(const Resource& resource, const Name& name, const json::Value& object,
              const ApplyOptions& options = {});

// What the object must still be, or the answer is Aborted. Empty: not looked at.
struct Expected {
  std::string uid = {}, resource_version = {};
};
Request merge_patch(const Resource& resource, const Name& name, json::Value patch,
                    const Expected& expected = {});
// RFC 6902; the tests for `expected` come first.
Request json_patch(const Resource& resource, const Name& name, const json::Array& operations,
                   const Expected& expected = {});

enum class Propagation { kBackground, kForeground, kOrphan };
struct RemoveOptions {
  Expected expected = {};
  Propagation propagation = Propagation::kBackground;
  std::optional<std::int64_t> grace_seconds = {};  // none: the object's own
};
Request remove(const Resource& resource, const Name& name, const RemoveOptions& options = {});
// A pod, as its disruption budgets allow it: FailedPrecondition when they do not.
Request evict(const Name& pod, const RemoveOptions& options = {});
Request scale(const Resource& resource, const Name& name, std::int64_t replicas,
              const Expected& expected = {});

struct LogOptions {
  std::string container = {};
  bool previous = false;
  std::int64_t tail_lines = 100, limit_bytes = 65'536;
};
Request pod_log(const Name& pod, const LogOptions& options = {});
Request raw_get(std::string path);  // "/version", "/apis/operator.etcd.io/v1alpha1"

// The same about a part of the object: "status", "scale".
Request of_part(Request request, std::string_view part);
// The same without its effect: the server says what would come of it.
Request dry_run(Request request);

}  // namespace kube
