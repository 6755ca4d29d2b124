#include "bin/archive_place.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "objstore/open.h"
#include "posix/files.h"

namespace bin {
namespace {

using base::Code;

constexpr size_t kSmall = size_t{1} << 20;

// The directory of a store that is one.
std::optional<std::string> directory_of(const std::string& url) {
  constexpr std::string_view kFile = "file://";
  if (url.starts_with(kFile)) return url.substr(kFile.size());
  if (url.find("://") != std::string::npos) return {};
  return url;
}

}  // namespace

base::Result<std::unique_ptr<ArchivePlace>> ArchivePlace::make(
    const std::vector<std::string>& fault_points) {
  TRY(auto signals, posix::StopOnSignal::install());
  return std::unique_ptr<ArchivePlace>(new ArchivePlace(std::move(signals), fault_points));
}

ArchivePlace::ArchivePlace(std::unique_ptr<posix::StopOnSignal> signals,
                           const std::vector<std::string>& fault_points)
    : signals_(std::move(signals)), die_(fault_points) {
  world_.clock = &clock_;
  world_.nonce = [this] { return fmt::format("{:016x}", random_.next()); };
  world_.stop = signals_->source().get_token();
  world_.wait = [stop = world_.stop](base::Duration time) {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock(mutex);
    woken.wait_for(lock, stop, time, [] { return false; });
  };
  if (!fault_points.empty()) world_.at = [this](std::string_view point) { die_.at(point); };
}

archive::Outcome<void> ArchivePlace::open(const archive::StoreRef& store, bool may_make) {
  objstore::Where where{.url = store.url,
                        .secret = store.secret,
                        .endpoint = store.endpoint,
                        .region = store.region,
                        .path_style = store.path_style,
                        .storage_class = store.storage_class,
                        .encryption = store.encryption,
                        .kms_key = store.kms_key};
  if (!store.ca.empty()) {
    auto ca = posix::read_file(store.ca, kSmall);
    if (!ca) return archive::trouble(archive::kind::kInput, ca.error().message);
    where.ca = *std::move(ca);
  }
  if (const auto directory = directory_of(store.url); directory && !may_make) {
    const auto info = posix::file_info(*directory);
    if (!info)
      return std::unexpected(archive::Trouble(info.error().code == Code::kNotFound
                                                  ? archive::kind::kAbsent
                                                  : archive::kind_of(info.error()),
                                              info.error()));
    if (!info->directory)
      return archive::trouble(archive::kind::kInput, *directory + " is no directory");
  }
  TRY(store_, objstore::open_store(where, objstore::real_surroundings(),
                                   objstore::real_outside(clock_, random_)));
  world_.store = store_.get();
  return {};
}

archive::Outcome<void> ArchivePlace::read_key(const std::string& file) {
  if (file.empty()) return {};
  const auto text = posix::read_file(file, kSmall);
  if (!text) return std::unexpected(archive::Trouble(archive::kind::kKey, text.error()));
  auto key = archive::Key::parse(*text, file);
  if (!key) return std::unexpected(archive::Trouble(archive::kind::kKey, key.error()));
  key_ = *std::move(key);
  world_.key = &*key_;
  return {};
}

archive::Outcome<void> ArchivePlace::use_tls(const std::optional<archive::TlsFiles>& files) {
  etcd::Tls tls;
  if (files) {
    const std::pair<const std::string*, std::string*> parts[] = {
        {&files->ca, &tls.ca}, {&files->cert, &tls.cert}, {&files->key, &tls.key}};
    for (const auto& [file, text] : parts) {
      auto read = posix::read_file(*file, kSmall);
      if (!read) return archive::trouble(archive::kind::kInput, read.error().message);
      *text = *std::move(read);
    }
  }
  world_.connect = [tls](const archive::Endpoint& endpoint) {
    return etcd::connect(endpoint.url, tls);
  };
  world_.history = [tls](const archive::Endpoint& endpoint) {
    return etcd::connect_history(endpoint.url, tls);
  };
  return {};
}

}  // namespace bin
