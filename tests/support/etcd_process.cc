#include "support/etcd_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <stdexcept>

#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/wakeup.h"
#include "support/slot.h"

namespace support {
namespace {

using base::Code;

bool past(base::Tick deadline) {
  return posix::deadline_in(base::Duration(0)) >= deadline;
}

void pause_briefly() {
  ::poll(nullptr, 0, 10);
}

base::Status write(const std::string& path, const std::string& text) {
  return posix::write_atomic(path, text);
}

}  // namespace

base::Result<std::string> etcd_binary(const std::string& version, const std::string& program) {
  TRY(const auto cache, posix::cache_dir());
  auto path = fmt::format("{}/etcd-operator/etcd/v{}/{}", cache, version, program);
  if (::access(path.c_str(), X_OK) == 0) return path;
  return base::fail(Code::kNotFound,
                    fmt::format("no {}; get it by: etcd-operator fetch-etcd {}", path, version));
}

ScratchDir::ScratchDir() {
  std::string name = "/tmp/eo-etcd-XXXXXX";
  root_ = ::mkdtemp(name.data()) == nullptr ? std::string("/nonexistent") : name;
}

ScratchDir::~ScratchDir() {
  static_cast<void>(posix::remove_tree(root_));
}

std::vector<posix::Port> free_ports(size_t count) {
  constexpr posix::PortRange kAll{22000, 23399};
  // Programs that run side by side take theirs out of different places of the range.
  constexpr int kPlaces = 14, kEach = 100;
  static std::set<posix::Port> given;
  static std::vector<Slot> places;
  const auto pick = [&](const posix::PortRange& range) {
    auto ports = posix::pick_free_ports(range, count, given);
    if (ports) given.insert(ports->begin(), ports->end());
    return ports;
  };
  for (size_t at = 0;; ++at) {
    if (at == places.size()) {
      auto place = Slot::take("eo-test-ports", kPlaces);
      if (!place) break;
      places.push_back(*std::move(place));
    }
    const int first = kAll.first + places[at].number() * kEach;
    const auto ports =
        pick({static_cast<posix::Port>(first), static_cast<posix::Port>(first + kEach - 1)});
    if (ports) return *ports;
  }
  const auto ports = pick(kAll);
  if (!ports) throw std::runtime_error(ports.error().message);
  return *ports;
}

TestPki::TestPki(const std::string& dir) : dir_(dir) {
  const auto now = posix::SystemClock().now();
  const auto life = std::chrono::hours(24);
  ca_ = pki::make_ca({.common_name = "test-ca", .now = now, .life = life}).value_or(pki::Pair());
  const auto leaf = [&](const std::string& name) {
    return pki::issue(ca_, {.common_name = name,
                            .dns = {"localhost"},
                            .ips = {"127.0.0.1"},
                            .now = now,
                            .life = life})
        .value_or(pki::Pair());
  };
  client_ = leaf("root");
  const auto server = leaf("server");
  static_cast<void>(write(dir_ + "/ca.crt", ca_.cert));
  static_cast<void>(write(dir_ + "/server.crt", server.cert));
  static_cast<void>(write(dir_ + "/server.key", server.key));
}

etcd::Tls TestPki::client() const {
  return {.ca = ca_.cert, .cert = client_.cert, .key = client_.key, .server_name = {}};
}

std::vector<std::string> TestPki::server_flags() const {
  std::vector<std::string> flags;
  for (const std::string side : {"--", "--peer-"}) {
    flags.push_back(fmt::format("{}cert-file={}/server.crt", side, dir_));
    flags.push_back(fmt::format("{}key-file={}/server.key", side, dir_));
    flags.push_back(fmt::format("{}trusted-ca-file={}/ca.crt", side, dir_));
    flags.push_back(fmt::format("{}client-cert-auth=true", side));
  }
  return flags;
}

EtcdProcess::EtcdProcess(Options options) : options_(std::move(options)) {
  if (options_.initial_cluster.empty())
    options_.initial_cluster = fmt::format("{}={}", options_.name, peer_url());
}

std::string EtcdProcess::client_url() const {
  return fmt::format("{}://127.0.0.1:{}", options_.pki == nullptr ? "http" : "https",
                     options_.client_port);
}

std::string EtcdProcess::peer_url() const {
  return fmt::format("{}://127.0.0.1:{}", options_.pki == nullptr ? "http" : "https",
                     options_.peer_port);
}

std::unique_ptr<etcd::EtcdApi> EtcdProcess::connect() const {
  return etcd::connect(client_url(),
                       options_.pki == nullptr ? etcd::Tls{} : options_.pki->client());
}

base::Status EtcdProcess::start() {
  TRY(const auto program, etcd_binary(options_.version));
  TRY_OK(posix::make_dirs(options_.dir));
  std::vector<std::string> args{program,
                                "--name=" + options_.name,
                                "--data-dir=" + options_.dir + "/data",
                                "--listen-client-urls=" + client_url(),
                                "--advertise-client-urls=" + client_url(),
                                "--listen-peer-urls=" + peer_url(),
                                "--initial-advertise-peer-urls=" + peer_url(),
                                "--initial-cluster=" + options_.initial_cluster,
                                "--initial-cluster-token=" + options_.token,
                                "--initial-cluster-state=" + options_.state,
                                "--logger=zap"};
  if (options_.pki != nullptr)
    for (auto& flag : options_.pki->server_flags()) args.push_back(std::move(flag));
  args.insert(args.end(), options_.flags.begin(), options_.flags.end());
  std::vector<char*> argv;
  for (auto& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  char* const no_environment[] = {nullptr};
  const posix::Fd log(
      ::open((options_.dir + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.open()) return posix::fail_errno(errno, "open the log of etcd");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return posix::fail_errno(errno, "fork");
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(log.get(), 1);
    ::dup2(log.get(), 2);
    ::execve(argv[0], argv.data(), no_environment);
    ::_exit(127);
  }
  pid_ = child;
  return {};
}

base::Status EtcdProcess::wait_ready(base::Duration deadline) {
  const auto until = posix::deadline_in(deadline);
  const auto api = connect();
  for (;;) {
    const auto read = api->quorum_read(base::Duration(1000));
    if (read) return {};
    if (const auto ended = wait_exit(base::Duration(0)); ended)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("etcd {} ended with {}: {}", options_.name, *ended, log()));
    if (past(until)) return std::unexpected(read.error().in(options_.name + " is not ready"));
    pause_briefly();
  }
}

void EtcdProcess::signal(int number) const {
  if (pid_ > 0) ::kill(static_cast<pid_t>(pid_), number);
}

void EtcdProcess::kill() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  static_cast<void>(wait_exit(base::Duration(10'000)));
}

base::Result<int> EtcdProcess::wait_exit(base::Duration deadline) {
  const auto until = posix::deadline_in(deadline);
  for (;;) {
    int status = 0;
    if (pid_ <= 0) return base::fail(Code::kFailedPrecondition, "not running");
    if (::waitpid(static_cast<pid_t>(pid_), &status, WNOHANG) == pid_) {
      pid_ = 0;
      return status;
    }
    if (past(until)) return base::fail(Code::kDeadlineExceeded, "etcd runs on");
    pause_briefly();
  }
}

std::string EtcdProcess::log() const {
  const auto text = posix::read_file(options_.dir + "/log", size_t{64} << 20);
  if (!text) return text.error().message;
  return text->size() > 65536 ? text->substr(text->size() - 65536) : *text;
}

TestCluster::TestCluster(const std::string& version_in, size_t size, bool tls,
                         const std::vector<std::string>& flags_in)
    : version(version_in), flags(flags_in) {
  if (tls) pki = std::make_unique<TestPki>(dir.root());
  const auto ports = free_ports(2 * size);
  std::string initial;
  for (size_t i = 0; i < size; ++i)
    initial += fmt::format("{}m{}={}://127.0.0.1:{}", i == 0 ? "" : ",", i, tls ? "https" : "http",
                           ports[2 * i + 1]);
  for (size_t i = 0; i < size; ++i)
    members.push_back(std::make_unique<EtcdProcess>(
        EtcdProcess::Options{.version = version,
                             .name = fmt::format("m{}", i),
                             .dir = fmt::format("{}/m{}", dir.root(), i),
                             .client_port = ports[2 * i],
                             .peer_port = ports[2 * i + 1],
                             .initial_cluster = initial,
                             .flags = flags,
                             .pki = pki.get()}));
  for (const auto& member : members)
    if (const auto started = member->start(); !started && error.empty())
      error = started.error().message;
  for (const auto& member : members)
    if (const auto ready = member->wait_ready(base::Duration(30'000)); !ready && error.empty())
      error = ready.error().message;
}

EtcdProcess& TestCluster::add_process(const std::string& initial_cluster_in,
                                      const std::string& state) {
  const auto ports = free_ports(2);
  const auto name = fmt::format("m{}", members.size());
  EtcdProcess::Options options{.version = version,
                               .name = name,
                               .dir = dir.root() + "/" + name,
                               .client_port = ports[0],
                               .peer_port = ports[1],
                               .initial_cluster = {},
                               .state = state,
                               .flags = flags,
                               .pki = pki.get()};
  const auto own = fmt::format("{}={}://127.0.0.1:{}", name, pki ? "https" : "http", ports[1]);
  options.initial_cluster = initial_cluster_in.empty() ? own : initial_cluster_in + "," + own;
  members.push_back(std::make_unique<EtcdProcess>(std::move(options)));
  return *members.back();
}

std::string TestCluster::initial_cluster() const {
  std::string text;
  for (const auto& m : members)
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", m->options().name, m->peer_url());
  return text;
}

}  // namespace support
