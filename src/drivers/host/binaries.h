// etcd's own programs on this machine, by version.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "api/version.h"
#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"

namespace host {

// Absolute paths; etcdctl and etcdutl are empty where the release has none beside etcd.
struct EtcdPrograms {
  std::string etcd, etcdctl, etcdutl;
};

// Where a version is put: `${XDG_CACHE_HOME:-~/.cache}/etcd-operator/etcd`.
base::Result<std::string> etcd_cache_dir();

// Looks in `etcd_dir` (itself, or its v<version>/), the cache, then PATH. Thread-safe; what it
// found is asked for again only when the file has changed.
class Binaries {
 public:
  explicit Binaries(std::string etcd_dir) : etcd_dir_(std::move(etcd_dir)) {}

  // NotFound names the places that were looked at.
  base::Result<EtcdPrograms> find(const api::Version& version, const std::stop_token& stop);

 private:
  struct Seen {
    std::uint64_t inode = 0;
    base::Instant modified{};
    std::string version;  // empty: it did not say
  };
  bool is_version(const std::string& etcd, const std::string& version, const std::stop_token& stop);

  const std::string etcd_dir_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;  // guarded by mutex_; by path
};

struct FetchOptions {
  std::string etcd_dir;     // empty: the cache
  std::string release_url;  // of official archives; empty: the project's own releases
  bool allow_build = true;  // from the Go modules when the archive cannot be had
};
constexpr std::string_view kDefaultReleaseUrl = "https://github.com/etcd-io/etcd/releases/download";

// Takes one line of progress for a person.
using Progress = std::function<void(const std::string& line)>;

// Puts the version where Binaries finds it, whole or not at all; at once if it is there. Takes from
// seconds to minutes. The error says what was tried and what to install.
base::Result<EtcdPrograms> fetch_etcd(const api::Version& version, const FetchOptions& options,
                                      const Progress& progress, const std::stop_token& stop);

}  // namespace host
