#include "e2e/host/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "e2e/host/wait.h"
#include "guard/files.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string text_at(const json::Value& value, std::string_view path) {
  return json::get_string(value, path).value_or("");
}

const json::Value* condition_of(const json::Value& status, const std::string& type) {
  const auto* list = status.at("status.conditions");
  if (list == nullptr || list->if_array() == nullptr) return nullptr;
  for (const auto& c : *list->if_array())
    if (text_at(c, "type") == type) return &c;
  return nullptr;
}

std::vector<MemberStatus> members_of(const json::Value& cluster) {
  std::vector<MemberStatus> out;
  const auto* list = cluster.at("status.members");
  if (list == nullptr || list->if_array() == nullptr) return out;
  for (const auto& m : *list->if_array()) {
    const auto* healthy = m.find("healthy");
    const bool is_healthy = healthy != nullptr && (healthy->as_bool().value_or(false) ||
                                                   healthy->as_string().value_or("") == "True");
    out.push_back({text_at(m, "name"), text_at(m, "role"), text_at(m, "version"), text_at(m, "id"),
                   is_healthy});
  }
  return out;
}

// Batteries run side by side: each sandbox holds a range of ports of its own, by locks that die
// with the test.
int take_ports(int count, std::vector<int>& locks) {
  constexpr int kFirst = 12'000, kEach = 200, kSlots = 40;
  for (int slot = 0; slot < kSlots; ++slot) {
    const auto path = fs::temp_directory_path() / fmt::format("eo-e2e-ports-{}", slot);
    const int lock = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const bool ours = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
    locks.push_back(lock);
    if (!ours) {  // the range begins anew behind it
      for (const int held : locks) close(held);
      locks.clear();
    } else if (static_cast<int>(locks.size()) * kEach >= count) {
      return kFirst + (slot + 1 - static_cast<int>(locks.size())) * kEach;
    }
  }
  std::abort();
}

bool is_settled(const json::Value& cluster, size_t size, const std::string& version) {
  const auto* available = condition_of(cluster, "Available");
  if (available == nullptr || text_at(*available, "status") != "True") return false;
  if (const auto* op = cluster.at("status.operation"); op != nullptr && !op->is_null())
    return false;
  const auto members = members_of(cluster);
  return members.size() == size && std::ranges::all_of(members, [&](const MemberStatus& m) {
           return m.healthy && m.role != "learner" && (version.empty() || m.version == version);
         });
}

}  // namespace

// The child dies with the test.
pid_t Sandbox::spawn(const std::vector<std::string>& args, const fs::path& out,
                     const fs::path& err) const {
  std::vector<std::string> pairs;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view pair = *at;
    if (!environment_.contains(std::string(pair.substr(0, pair.find('=')))))
      pairs.emplace_back(pair);
  }
  for (const auto& [name, value] : environment_) pairs.push_back(fmt::format("{}={}", name, value));
  std::vector<char*> argv, envp;
  for (const auto& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  for (const auto& pair : pairs) envp.push_back(const_cast<char*>(pair.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int o = open(out.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int e = open(err.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0);
  dup2(o, 1);
  dup2(e, 2);
  execve(argv[0], argv.data(), envp.data());
  _exit(127);
}

Sandbox::Sandbox(const SandboxOptions& options)
    : options_(options), first_port_(take_ports(options.ports, port_locks_)) {
  std::string pattern = (fs::temp_directory_path() / "eo-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  root_ = pattern;
  fs::create_directories(manifests());
}

Sandbox::~Sandbox() {
  kill_everything();
  for (const int lock : port_locks_) close(lock);
  if (testing::Test::HasFailure()) {
    std::string log = operator_log();
    if (log.size() > 12'000) log.erase(0, log.size() - 12'000);
    fmt::print(stderr, "kept {}; the operator's log ends:\n{}\n", root_.string(), log);
    return;
  }
  std::error_code ec;
  fs::remove_all(root_, ec);
}

void Sandbox::set_environment(const std::string& name, const std::string& value) {
  environment_[name] = value;
}

void Sandbox::start_operator(const std::vector<std::string>& more) {
  ++runs_;
  std::vector<std::string> args{
      options_.bin + "/etcd-operator",
      "run",
      "--platform",
      "host",
      "--manifests",
      manifests(),
      "--state",
      state(),
      "--http-addr",
      "127.0.0.1:0",
      "--port-range",
      fmt::format("{}-{}", first_port_, first_port_ + options_.ports - 1)};
  args.insert(args.end(), more.begin(), more.end());
  operator_ = spawn(args, root_ / "operator.log", root_ / "operator.log");
}

void Sandbox::kill_operator() {
  if (operator_ <= 0) return;
  kill(operator_, SIGKILL);
  waitpid(operator_, nullptr, 0);
  operator_ = -1;
}

int Sandbox::stop_operator() {
  if (operator_ <= 0) return -1;
  kill(operator_, SIGTERM);
  if (const auto code = wait_operator(std::chrono::seconds(60))) return *code;
  kill_operator();
  return -1;
}

std::optional<int> Sandbox::wait_operator(std::chrono::seconds limit) {
  int status = 0;
  const bool ended =
      eventually(limit, [&] { return waitpid(operator_, &status, WNOHANG) == operator_; });
  if (!ended) return std::nullopt;
  operator_ = -1;
  return code_of(status);
}

bool Sandbox::operator_runs() {
  if (operator_ <= 0) return false;
  int status = 0;
  if (waitpid(operator_, &status, WNOHANG) != operator_) return true;
  operator_ = -1;
  return false;
}

void Sandbox::write(const std::string& file, const std::string& text) const {
  const fs::path hidden = manifests() / ("." + file + ".tmp");
  std::ofstream(hidden, std::ios::binary) << text;
  // A Secret that others can read is refused.
  fs::permissions(hidden, fs::perms::owner_read | fs::perms::owner_write);
  fs::rename(hidden, manifests() / file);
}

void Sandbox::remove(const std::string& file) const {
  fs::remove(manifests() / file);
}

Ran Sandbox::cli(std::vector<std::string> args, std::chrono::seconds limit) const {
  std::string pattern = (root_ / "cli-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return {};
  const fs::path dir = pattern;
  args.insert(args.begin(), options_.bin + "/etcd-operator");
  static const std::set<std::string> kNeedState{"status",  "plan",       "events", "connect",
                                                "approve", "pause",      "resume", "stop",
                                                "start",   "backup-now", "restore"};
  if (kNeedState.contains(args[1])) {
    const auto dashes = std::find(args.begin(), args.end(), "--");
    args.insert(dashes, {"--state", state().string()});
  }
  const pid_t pid = spawn(args, dir / "out", dir / "err");
  int status = 0;
  if (!eventually(limit, [&] { return waitpid(pid, &status, WNOHANG) == pid; })) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  Ran ran{code_of(status), slurp(dir / "out"), slurp(dir / "err")};
  fs::remove_all(dir);
  return ran;
}

json::Value Sandbox::status(const std::string& cluster) const {
  const Ran ran = cli({"status", cluster, "-o", "json"});
  if (ran.exit_code != 0) return {};
  return json::parse(ran.out).value_or(json::Value());
}

std::optional<Access> Sandbox::access(const std::string& cluster) const {
  const Ran ran = cli({"connect", cluster, "-o", "json"});
  if (ran.exit_code != 0) return std::nullopt;
  const auto parsed = json::parse(ran.out);
  if (!parsed) return std::nullopt;
  Access access;
  const auto* list = parsed->find("endpoints");
  if (list == nullptr || list->if_array() == nullptr) return std::nullopt;
  for (const auto& e : *list->if_array()) access.endpoints.push_back(e.as_string().value_or(""));
  const auto file = [&](const char* key) {
    const std::string path = text_at(*parsed, key);
    return path.empty() ? path : slurp(path);
  };
  access.tls = {file("cacert"), file("cert"), file("key"), ""};
  return access.endpoints.empty() ? std::nullopt : std::optional(access);
}

std::vector<MemberStatus> Sandbox::members(const std::string& cluster) const {
  return members_of(status(cluster));
}

std::string Sandbox::condition(const std::string& cluster, const std::string& type) const {
  const json::Value all = status(cluster);
  const auto* c = condition_of(all, type);
  return c == nullptr ? "" : text_at(*c, "status");
}

std::string Sandbox::reason(const std::string& cluster, const std::string& type) const {
  const json::Value all = status(cluster);
  const auto* c = condition_of(all, type);
  return c == nullptr ? "" : text_at(*c, "reason");
}

std::string Sandbox::message(const std::string& cluster, const std::string& type) const {
  const json::Value all = status(cluster);
  const auto* c = condition_of(all, type);
  return c == nullptr ? "" : text_at(*c, "message");
}

bool Sandbox::settled(const std::string& cluster, size_t size, const std::string& version) const {
  return is_settled(status(cluster), size, version);
}

std::map<std::string, bool> Sandbox::all_settled(size_t size) const {
  std::map<std::string, bool> out;
  const Ran ran = cli({"status", "-o", "json"});
  const auto all = json::parse(ran.out);
  if (ran.exit_code != 0 || !all || all->if_array() == nullptr) return out;
  for (const auto& cluster : *all->if_array())
    out[text_at(cluster, "metadata.name")] = is_settled(cluster, size, "");
  return out;
}

fs::path Sandbox::member_dir(const std::string& cluster, const std::string& member) const {
  return state() / "clusters" / "default" / cluster / "members" / member;
}

fs::path Sandbox::data_dir(const std::string& cluster, const std::string& member) const {
  return member_dir(cluster, member) / "volume" / "data";
}

pid_t Sandbox::etcd_pid(const std::string& cluster, const std::string& member) const {
  const auto state = guard::decode_state(slurp(member_dir(cluster, member) / "state"));
  if (!state || state->phase != guard::Phase::kRunning) return 0;
  const auto pid = static_cast<pid_t>(state->etcd_pid);
  return pid > 0 && kill(pid, 0) == 0 ? pid : 0;
}

pid_t Sandbox::guard_pid(const std::string& cluster, const std::string& member) const {
  const auto dir = member_dir(cluster, member);
  const auto state = guard::decode_state(slurp(dir / "state"));
  if (!state || state->phase == guard::Phase::kEnded || state->guard_pid <= 0) return 0;
  // A pid alone proves nothing: its command line must name this member's directory.
  const std::string line = slurp(fmt::format("/proc/{}/cmdline", state->guard_pid));
  return line.find(dir.string()) == std::string::npos ? 0 : static_cast<pid_t>(state->guard_pid);
}

void Sandbox::kill_etcd(const std::string& cluster, const std::string& member) const {
  const pid_t pid = etcd_pid(cluster, member);
  ASSERT_GT(pid, 0) << member << " does not run";
  kill(pid, SIGKILL);
}

void Sandbox::kill_guard(const std::string& cluster, const std::string& member) const {
  const pid_t pid = guard_pid(cluster, member);
  const pid_t etcd = etcd_pid(cluster, member);
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  eventually(std::chrono::seconds(60),
             [&] { return kill(pid, 0) != 0 && (etcd <= 0 || kill(etcd, 0) != 0); });
}

std::vector<std::string> Sandbox::all_members() const {
  std::vector<std::string> out;
  std::error_code ec;
  for (const auto& ns : fs::directory_iterator(state() / "clusters", ec))
    for (const auto& cluster : fs::directory_iterator(ns.path(), ec))
      for (const auto& member : fs::directory_iterator(cluster.path() / "members", ec))
        out.push_back(cluster.path().filename().string() + "/" + member.path().filename().string());
  return out;
}

void Sandbox::kill_everything() {
  kill_operator();
  for (const auto& both : all_members()) {
    const auto parts = base::split(both, '/');
    kill_guard(std::string(parts[0]), std::string(parts[1]));
  }
  std::error_code none;
  for (const auto& cluster : fs::directory_iterator(state() / "clusters" / "default", none))
    if (const pid_t pid = follower_pid(cluster.path().filename()); pid > 0) kill(pid, SIGKILL);
}

pid_t Sandbox::follower_pid(const std::string& cluster) const {
  const auto files = state() / "clusters" / "default" / cluster / "jobs" / "follow";
  const auto pid = base::parse_int(base::split(slurp(files / "process"), ' ').front());
  if (!pid || *pid <= 1) return 0;
  const std::string command = slurp(fmt::format("/proc/{}/cmdline", *pid));
  return command.find(files.string()) == std::string::npos ? 0 : static_cast<pid_t>(*pid);
}

std::string Sandbox::operator_log() const {
  return slurp(root_ / "operator.log");
}

std::string manifest(const std::string& name, int size, const std::string& version,
                     const std::string& more) {
  return fmt::format(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata:\n  name: {}\nspec:\n"
      "  size: {}\n  version: \"{}\"\n{}",
      name, size, version, more);
}

bool full_depth() {
  const char* depth = std::getenv("EO_DEPTH");
  return depth != nullptr && std::string_view(depth) == "full";
}

std::vector<std::string> versions() {
  if (!full_depth()) return {"3.5.12", "3.6.16"};
  return {"3.4.23", "3.5.12", "3.5.33", "3.6.16", "3.7.3"};
}

}  // namespace e2e
