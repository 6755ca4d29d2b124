#include "bin/follow_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "pki/digest.h"
#include "posix/files.h"

namespace bin {
namespace {

constexpr size_t kLargestFile = size_t{1} << 20;
constexpr unsigned kThreads = 2;

using Names = std::vector<std::string>;

// Credentials of the store, the key of what is written, the client's certificate. A mounted Secret
// is a directory whose hidden names are the kubelet's own; what is in it is listed each time, as a
// Secret may get more keys.
base::Result<Names> files_of(const archive::FollowJob& job) {
  const auto& common = job.run.common;
  Names out{common.store.ca, common.encryption_key};
  if (!common.store.secret.empty()) {
    TRY(const auto names, posix::list_dir(common.store.secret));
    for (const auto& name : names)
      if (!name.starts_with('.')) out.push_back(fmt::format("{}/{}", common.store.secret, name));
  }
  if (job.run.tls) out.insert(out.end(), {job.run.tls->ca, job.run.tls->cert, job.run.tls->key});
  std::erase(out, "");
  return out;
}

// Empty: not all of them can be read, which says nothing of what they hold.
std::string digest_of(const archive::FollowJob& job) {
  const auto files = files_of(job);
  if (!files) return {};
  pki::Sha256 all;
  for (const auto& file : *files) {
    const auto text = posix::read_file(file, kLargestFile);
    if (!text) return {};
    all.update(fmt::format("{} {}\n", file, text->size()));
    all.update(*text);
  }
  return all.finish();
}

}  // namespace

FollowPage::FollowPage(const archive::FollowJob& job, const base::Clock& clock)
    : clock_(clock), job_(job), begun_with_(digest_of(job_)) {}

base::Status FollowPage::serve(unsigned port) {
  const auto start = [&](const char* host) {
    return http::Server::start({.host = host, .port = port, .threads = kThreads},
                               {{"/", [this](const http::Request& /*of*/) { return page(); }}});
  };
  // Of both families where the machine has the newer one.
  auto server = start("::");
  if (!server) server = start("0.0.0.0");
  if (!server) return std::unexpected(server.error().in("serve the status"));
  server_ = *std::move(server);
  return {};
}

void FollowPage::tell(const archive::FollowStatus& status) {
  const std::lock_guard lock(mutex_);
  said_ = status;
  said_at_ = clock_.tick();
}

http::Response FollowPage::page() const {
  archive::FollowStatus said;
  {
    const std::lock_guard lock(mutex_);
    if (!said_at_) return {.status = 503, .body = "it has not begun yet\n"};
    said = said_;
    said.age_ms = std::chrono::floor<std::chrono::milliseconds>(clock_.tick() - *said_at_).count();
  }
  const auto now = digest_of(job_);
  said.outdated = !begun_with_.empty() && !now.empty() && now != begun_with_;
  return {.content_type = "application/json", .body = to_json(said)};
}

}  // namespace bin
