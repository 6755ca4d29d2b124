#include "archive/offline_etcd.h"

#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/text.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/short_path.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kWords = size_t{64} << 10;
// Files in the directory of the process; etcd wants the form of a host and a port.
constexpr std::string_view kClients = "unix://localhost:1", kPeers = "unix://localhost:2";

// The last of what a program said.
std::string words_of(const posix::RunResult& result) {
  constexpr size_t kLine = 400;
  std::string text(base::trim(result.err.empty() ? result.out : result.err));
  if (const auto line = text.rfind('\n'); line != std::string::npos) text.erase(0, line + 1);
  if (text.size() > kLine) text.resize(kLine);
  return text;
}

std::string end_of(const posix::RunResult& result) {
  const auto how = result.signal != 0 ? fmt::format("was ended by signal {}", result.signal)
                                      : fmt::format("ended with code {}", result.exit_code);
  const auto words = words_of(result);
  return words.empty() ? how : how + ": " + words;
}

class Real final : public OfflineEtcd {
 public:
  Real(EtcdPrograms programs, std::string token)
      : programs_(std::move(programs)), token_(std::move(token)) {}
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  ~Real() override { stop(); }

  base::Status restore(const std::string& snapshot, const std::string& room, base::Duration time,
                       const std::stop_token& stop) override {
    TRY_OK(posix::make_dirs(room));
    const posix::Launch launch{
        .argv = {programs_.tool, "snapshot", "restore", snapshot, "--name=drill",
                 fmt::format("--initial-cluster=drill={}", kPeers),
                 "--initial-cluster-token=" + token_,
                 fmt::format("--initial-advertise-peer-urls={}", kPeers), "--data-dir=data"},
        .env = {"ETCDCTL_API=3"},
        .cwd = room};
    const auto done = posix::run(launch, {.deadline = time, .output = kWords}, stop);
    if (!done) return std::unexpected(done.error());
    if (done->exit_code == 0) return {};
    const bool full = (done->out + done->err).find("no space left") != std::string::npos;
    return base::fail(full ? Code::kResourceExhausted : Code::kFailedPrecondition,
                      programs_.tool + " " + end_of(*done));
  }

  base::Result<std::unique_ptr<etcd::EtcdApi>> start(const std::string& room,
                                                     base::Duration time) override {
    stop();
    TRY(auto door, posix::ShortPath::of(room));
    door_ = std::move(door);
    end_.reset();
    posix::Launch launch{.argv = {programs_.etcd, "--name=drill", "--data-dir=data",
                                  fmt::format("--listen-client-urls={}", kClients),
                                  fmt::format("--advertise-client-urls={}", kClients),
                                  fmt::format("--listen-peer-urls={}", kPeers),
                                  fmt::format("--initial-advertise-peer-urls={}", kPeers),
                                  fmt::format("--initial-cluster=drill={}", kPeers),
                                  "--initial-cluster-token=" + token_, "--logger=zap",
                                  "--log-outputs=stderr", "--log-level=error"},
                         .env = {},
                         .cwd = room};
    thread_ = std::jthread([this, launch = std::move(launch), time](const std::stop_token& token) {
      auto done = posix::run(launch, {.deadline = time, .output = kWords}, token);
      const std::lock_guard lock(mutex_);
      end_ = done ? end_of(*done) : done.error().message;
    });
    return etcd::connect("unix:" + door_->text() + "/localhost:1", {});
  }

  std::optional<std::string> ended() override {
    const std::lock_guard lock(mutex_);
    return end_;
  }

  void stop() override {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }

 private:
  const EtcdPrograms programs_;
  const std::string token_;
  std::optional<posix::ShortPath> door_;
  std::mutex mutex_;
  std::optional<std::string> end_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<OfflineEtcd> make_offline_etcd(EtcdPrograms programs, std::string token) {
  return std::make_unique<Real>(std::move(programs), std::move(token));
}

}  // namespace archive
