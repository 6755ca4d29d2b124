#include "guard/testing/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "guard/child.h"
#include "guard/clock.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

sockaddr_in loopback(int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

// The status line's code and the answer of an HTTP request; 0 if there is none within seconds.
std::pair<int, std::string> http(int port, std::string_view method, const std::string& path,
                                 const std::string& content = {}) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in a = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) return {};
  const std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Length: {}\r\n\r\n{}",
      method, path, content.size(), content);
  for (std::string_view rest = request; !rest.empty();) {
    const ssize_t n = ::send(fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0) return {};
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  std::string answer;
  std::array<char, 4096> buffer{};
  for (;;) {
    pollfd p{fd.get(), POLLIN, 0};
    if (::poll(&p, 1, 5000) <= 0) return {};
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(n));
  }
  if (answer.size() < 12) return {};
  return {std::atoi(answer.substr(9, 3).c_str()), answer};
}

template <class T>
T decoded(base::Result<T> r) {
  return r ? *std::move(r) : T{};
}

}  // namespace

bool eventually(const std::function<bool()>& done, double seconds) {
  const std::int64_t until = monotonic_ms() + static_cast<std::int64_t>(seconds * 1000);
  while (!done()) {
    if (monotonic_ms() > until) return false;
    ::poll(nullptr, 0, 20);
  }
  return true;
}

Outcome run(const std::vector<std::string>& argv) {
  auto child = spawn(argv);
  Outcome out;
  if (!child) return out;
  ::fcntl(child->output.get(), F_SETFL, 0);
  const std::int64_t until = monotonic_ms() + 30'000;
  std::array<char, 16384> buffer{};
  for (;;) {
    pollfd p{child->output.get(), POLLIN, 0};
    if (::poll(&p, 1, 100) > 0) {
      const ssize_t n = ::read(child->output.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      out.output.append(buffer.data(), static_cast<std::size_t>(n));
    }
    if (monotonic_ms() > until) ::kill(child->pid, SIGKILL);
  }
  int status = 0;
  ::waitpid(child->pid, &status, 0);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return out;
}

std::vector<std::string> etcd_versions() {
  const char* asked = std::getenv("GUARD_TEST_ETCD");
  std::vector<std::string> out;
  for (const auto v : base::split(asked != nullptr && *asked != 0 ? asked : "3.5.12,3.6.16", ','))
    out.emplace_back(v);
  return out;
}

std::string test_suffix(const std::string& version) {
  std::string out = "v" + version;
  std::ranges::replace(out, '.', '_');
  return out;
}

std::string etcd_tool(const std::string& version, const std::string& tool) {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::string cache =
      xdg != nullptr && *xdg != 0 ? std::string(xdg) : fmt::format("{}/.cache", home ? home : "");
  return fmt::format("{}/etcd-operator/etcd/v{}/{}", cache, version, tool);
}

bool is_alive(pid_t pid) {
  if (pid <= 0 || ::kill(pid, 0) != 0) return false;
  // A zombie whose parent has not collected it is dead too.
  const std::string stat = read(fmt::format("/proc/{}/stat", pid));
  const std::size_t end = stat.rfind(')');
  return end != std::string::npos && stat.substr(end + 2, 1) != "Z" &&
         stat.substr(end + 2, 1) != "X";
}

int free_port() {
  static int next = 20000 + static_cast<int>(::getpid() % 400) * 2;
  for (int tries = 0; tries < 1000; ++tries) {
    next = next >= 20999 ? 20000 : next + 1;
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in a = loopback(next);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0) return next;
  }
  return 0;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void write(const std::string& path, std::string_view bytes) {
  std::error_code ec;
  fs::remove(path, ec);  // some filesystems flush a file that is cut and written again
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

ScratchDir::ScratchDir() {
  std::string name = (fs::temp_directory_path() / "guard-test-XXXXXX").string();
  if (::mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchDir::~ScratchDir() {
  std::error_code ec;
  if (!path_.empty()) fs::remove_all(path_, ec);
}

Node::Node(const std::string& root, const std::string& name, const std::string& version)
    : paths{root + "/" + name}, client_port(free_port()), peer_port(free_port()) {
  fs::create_directories(paths.member);
  ticket.cluster_ns = "default";
  ticket.cluster_name = "demo";
  ticket.member_name = name;
  ticket.incarnation = "inc-1";
  ticket.volume_id = "volume-of-" + name;
  ticket.permit = Permit::kBootstrap;
  ticket.peer_address = fmt::format("127.0.0.1:{}", peer_port);
  ticket.etcd = etcd_tool(version, "etcd");
  ticket.etcdutl = etcd_tool(version, version.starts_with("3.4.") ? "etcdctl" : "etcdutl");
  ticket.version = version;
  ticket.initial_cluster = name + "=" + peer_url();
  ticket.token = "token-1";
  ticket.template_hash = "hash-1";
  ticket.args = {"--listen-client-urls=" + client_url(), "--advertise-client-urls=" + client_url(),
                 "--listen-peer-urls=" + peer_url(), "--initial-advertise-peer-urls=" + peer_url(),
                 "--logger=zap"};
}

Node::~Node() {
  if (guard_ == 0) return;
  kill_guard();
}

std::string Node::client_url() const {
  return fmt::format("http://127.0.0.1:{}", client_port);
}
std::string Node::peer_url() const {
  return fmt::format("http://127.0.0.1:{}", peer_port);
}

void Node::write_ticket() const {
  (void)write_file(paths.ticket(), encode(ticket), Last::kForGood);
}

void Node::start() {
  write_ticket();
  std::vector<std::string> argv{GUARD_PROGRAM, "run", "--member-dir", paths.member};
  argv.insert(argv.end(), guard_flags.begin(), guard_flags.end());
  std::vector<char*> args;
  for (auto& a : argv) args.push_back(a.data());
  args.push_back(nullptr);
  guard_ = ::fork();
  if (guard_ != 0) return;
  ::execv(args[0], args.data());
  ::_exit(127);
}

int Node::wait_end() {
  if (guard_ == 0) return -1;
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(guard_, &status, WNOHANG) == guard_; }, 40);
  if (!ended) {
    kill_guard();
    return -9;
  }
  guard_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int Node::stop() {
  ::kill(guard_, SIGTERM);
  return wait_end();
}

void Node::kill_guard() {
  const pid_t etcd = etcd_pid();
  ::kill(guard_, SIGKILL);
  ::waitpid(guard_, nullptr, 0);
  guard_ = 0;
  (void)eventually([&] { return !is_alive(etcd); }, 10);
}

pid_t Node::etcd_pid() const {
  return static_cast<pid_t>(state().etcd_pid);
}

void Node::kill_etcd() const {
  if (const pid_t pid = etcd_pid(); pid > 0) ::kill(pid, SIGKILL);
}

void Node::hang_up() const {
  ::kill(guard_, SIGHUP);
}

State Node::state() const {
  return decoded(decode_state(read(paths.state())));
}
Verdict Node::verdict() const {
  return decoded(decode_verdict(read(paths.verdict())));
}
Marker Node::marker() const {
  return decoded(decode_marker(read(paths.marker())));
}
std::string Node::etcd_log() const {
  return read(paths.logs() + "/etcd.log");
}

bool Node::healthy() const {
  const auto [code, body] = http(client_port, "GET", "/health");
  return code == 200 && body.find("\"health\":\"true\"") != std::string::npos;
}

bool Node::wait_healthy(double seconds) const {
  return eventually([&] { return healthy(); }, seconds);
}

bool Node::wait_noted(std::uint64_t index) const {
  return eventually([&] {
    const Marker m = marker();
    return m.member_id && m.cluster_id && m.last_index >= index;
  });
}

bool Node::wait_verdict(Class klass, double seconds) const {
  return eventually([&] { return verdict().klass == klass; }, seconds);
}

Outcome Node::ctl(std::vector<std::string> args) const {
  args.insert(args.begin(), {etcd_tool(ticket.version, "etcdctl"), "--endpoints=" + client_url(),
                             "--command-timeout=8s"});
  return run(args);
}

bool Node::put(const std::string& key, const std::string& value) const {
  return ctl({"put", key, value}).code == 0;
}

bool Node::put_large(const std::string& key, std::size_t bytes) const {
  // Base64 of zeros; the key's letters are base64 already.
  const std::string body =
      fmt::format("{{\"key\":\"{}\",\"value\":\"{}\"}}", key, std::string(bytes / 3 * 4, 'A'));
  return http(client_port, "POST", "/v3/kv/put", body).first == 200;
}

std::string Node::get(const std::string& key) const {
  return std::string(base::trim(ctl({"get", key, "--print-value-only"}).output));
}

void Node::stop_and_make_data() {
  stop();
  ticket.permit = Permit::kData;
}

std::string Node::newest_segment() const {
  std::string newest;
  for (const auto& e : fs::directory_iterator(paths.data() + "/member/wal"))
    if (e.path().extension() == ".wal") newest = std::max(newest, e.path().string());
  return newest;
}

Cluster::Cluster(const std::string& version, int size) : version_(version) {
  for (int i = 1; i <= size; ++i)
    nodes_.push_back(std::make_unique<Node>(dir_.path(), fmt::format("m{}", i), version));
  for (auto& n : nodes_) n->ticket.initial_cluster = member_list();
}

std::string Cluster::member_list() const {
  std::vector<std::string> parts;
  for (const auto& n : nodes_) parts.push_back(n->ticket.member_name + "=" + n->peer_url());
  return base::join(parts, ",");
}

bool Cluster::start() {
  for (auto& n : nodes_) n->start();
  for (auto& n : nodes_)
    if (!n->wait_healthy() || !n->wait_noted()) return false;
  return true;
}

Node& Cluster::add(const std::string& name, bool learner) {
  auto node = std::make_unique<Node>(dir_.path(), name, version_);
  std::vector<std::string> args{"member", "add", name, "--peer-urls=" + node->peer_url(),
                                "-w=json"};
  if (learner) args.emplace_back("--learner");
  // etcd refuses adds for some seconds after a start.
  (void)eventually([&] { return nodes_.front()->ctl(args).code == 0; });
  nodes_.push_back(std::move(node));
  Node& added = *nodes_.back();
  added.ticket.permit = Permit::kJoin;
  added.ticket.initial_cluster = member_list();
  return added;
}

Node& Cluster::leader() {
  for (auto& n : nodes_) {
    const auto out = n->ctl({"endpoint", "status", "-w=fields"}).output;
    const auto field = [&](std::string_view key) {
      const std::size_t at = out.find(fmt::format("\"{}\" : ", key));
      if (at == std::string::npos) return std::string();
      const std::size_t from = at + key.size() + 5;
      return out.substr(from, out.find('\n', from) - from);
    };
    if (!field("Leader").empty() && field("Leader") == field("MemberID")) return *n;
  }
  return *nodes_.front();
}

}  // namespace guard::testing
