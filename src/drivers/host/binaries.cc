#include "drivers/host/binaries.h"

#include <utility>

#include "base/text.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"

namespace host {
namespace {

bool is_file(const std::string& path) {
  const auto info = posix::file_info(path);
  return info && info->regular && (info->mode & 0111) != 0;
}

EtcdPrograms beside(const std::string& etcd) {
  const std::string dir = etcd.substr(0, etcd.rfind('/') + 1);
  EtcdPrograms found{etcd, dir + "etcdctl", dir + "etcdutl"};
  if (!is_file(found.etcdctl)) found.etcdctl.clear();
  if (!is_file(found.etcdutl)) found.etcdutl.clear();
  return found;
}

// "etcd Version: 3.5.12" in the first line.
std::string told_version(const std::string& out) {
  const std::string_view line = std::string_view(out).substr(0, out.find('\n'));
  constexpr std::string_view kHead = "etcd Version: ";
  return line.starts_with(kHead) ? std::string(base::trim(line.substr(kHead.size()))) : "";
}

}  // namespace

base::Result<std::string> etcd_cache_dir() {
  TRY(const std::string cache, posix::cache_dir());
  return cache + "/etcd-operator/etcd";
}

bool Binaries::is_version(const std::string& etcd, const std::string& version,
                          const std::stop_token& stop) {
  const auto info = posix::file_info(etcd);
  if (!info || !info->regular || (info->mode & 0111) == 0) return false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(etcd);
    if (found != seen_.end() && found->second.inode == info->inode &&
        found->second.modified == info->modified)
      return found->second.version == version;
  }
  const auto run = posix::run({{etcd, "--version"}, {}, "/"}, {base::Duration{10'000}}, stop);
  if (!run) return false;  // not remembered: it may have been the machine
  Seen seen{info->inode, info->modified, run->exit_code == 0 ? told_version(run->out) : ""};
  const bool same = seen.version == version;
  const std::lock_guard lock(mutex_);
  seen_[etcd] = std::move(seen);
  return same;
}

base::Result<EtcdPrograms> Binaries::find(const api::Version& version,
                                          const std::stop_token& stop) {
  const std::string text = version.text();
  std::vector<std::string> places;
  if (!etcd_dir_.empty()) {
    places.push_back(etcd_dir_ + "/v" + text + "/etcd");
    places.push_back(etcd_dir_ + "/etcd");
  }
  if (const auto cache = etcd_cache_dir()) places.push_back(*cache + "/v" + text + "/etcd");
  const std::string path = posix::get_env("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  if (const auto found = posix::find_program("etcd", path)) places.push_back(*found);
  for (const auto& place : places)
    if (is_version(place, text, stop)) return beside(place);
  return base::fail(base::Code::kNotFound,
                    "etcd " + text + " is none of " + base::join(places, ", ") +
                        "; get it with: " + "etcd-operator fetch-etcd " + text);
}

}  // namespace host
