// What a case of the API servers' conformance runs on: the real one (KUBECONFIG) or the fake.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "json/value.h"
#include "kube/transport.h"

namespace conformance {

// A case has a namespace of its own. For one thread.
class KubeBench {
 public:
  virtual ~KubeBench() = default;
  [[nodiscard]] const std::string& ns() const { return ns_; }
  [[nodiscard]] kube::Name name(const std::string& name) const { return {ns_, name}; }

  virtual kube::Transport& transport() = 0;
  // Lets the controllers work until this holds; false: it did not come to it.
  virtual bool until(const std::function<bool()>& holds) = 0;
  // Lets them rest: what had to happen by now has happened.
  virtual void rest() = 0;
  // The node's word that a pod which is being deleted has ended.
  virtual void pod_ended(const std::string& pod) = 0;
  // Forgets the past, so that pages of lists before now are gone.
  virtual void compact() = 0;
  // A version that the server no longer knows. After compact().
  [[nodiscard]] virtual std::string forgotten_version() = 0;

 protected:
  std::string ns_;
};

// Both begin with an empty namespace. The real one throws std::runtime_error if it is not there.
std::unique_ptr<KubeBench> fake_kube();
std::unique_ptr<KubeBench> real_kube(const std::string& case_name);

// What a case saw, line by line: the same on both, or the test fails.
class KubeScript {
 public:
  explicit KubeScript(KubeBench& bench) : bench_(bench) {}
  void note(const std::string& what, const std::string& seen) {
    lines_.push_back(what + ": " + seen);
  }
  void note(const std::string& what, const char* seen) { note(what, std::string(seen)); }
  void note(const std::string& what, bool seen) { note(what, seen ? "yes" : "no"); }
  // Notes status, reason and what our client makes of them; the object then, null if refused.
  json::Value ask(const std::string& what, const kube::Request& request);
  // The same without a note. Throws if it is refused.
  json::Value must(const kube::Request& request);
  // Whether there is such an object now.
  bool exists(const kube::Resource& resource, const std::string& name);
  // A text or number of an object: "spec.size" -> "3"; "none" if absent.
  void field(const std::string& what, const json::Value& object, const std::string& path);
  // Events of a watch from this version until `count` of them came, bookmarks left out.
  void events(const std::string& what, const kube::Resource& resource,
              const kube::WatchOptions& options, size_t count);
  // Until the controllers have made this so; noted.
  void until(const std::string& what, const std::function<bool()>& holds) {
    note(what, bench_.until(holds));
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  KubeBench& bench_;
  std::vector<std::string> lines_;
};

struct KubeCase {
  const char* name;
  void (*run)(KubeBench& bench, KubeScript& script);
};
void PrintTo(const KubeCase& c, std::ostream* out);
std::vector<KubeCase> kube_write_cases();  // kube_api_cases_writes.cc
std::vector<KubeCase> kube_apply_cases();  // kube_api_cases_apply.cc
std::vector<KubeCase> kube_read_cases();   // kube_api_cases_reads.cc
std::vector<KubeCase> kube_life_cases();   // kube_api_cases_life.cc

// Objects that a real server takes.
std::string text_at(const json::Value& object, const std::string& path);
std::string version_of(const json::Value& object);
json::Value config_map(const std::string& name, json::Object data = {}, json::Object labels = {});
json::Value cluster(const std::string& name, int size);
json::Value pod(const std::string& name, json::Object labels = {}, const std::string& node = "");
json::Value stateful_set(const std::string& name, int replicas);
json::Value owned_by(json::Value object, const json::Value& owner, bool blocks = false);

}  // namespace conformance
