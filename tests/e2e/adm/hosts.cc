#include "hosts.h"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

#include "json/json.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace e2e {

using namespace std::chrono_literals;

std::vector<std::string> points_of(const std::vector<std::string>& steps) {
  const bool full = posix::get_env("EO_DEPTH") == "full";
  std::vector<std::string> out;
  for (const auto& step : steps) {
    out.push_back(step + ".before");
    if (full || step == steps.back()) out.push_back(step + ".after");
  }
  return out;
}

void Hosts::SetUp() {
  const posix::PortRange range{22000, 22999};
  const auto ports = posix::pick_free_ports(range, 3, {});
  ASSERT_TRUE(ports);
  ports_ = *ports;
  ASSERT_TRUE(slot_);
  net_ = 1 + slot_->number();
}

std::vector<posix::ProcessId> Hosts::processes(int n, const std::string& key) {
  std::vector<posix::ProcessId> out;
  std::ifstream state(dir(n) + "/state/member/state");
  for (std::string word, value; state >> word && std::getline(state, value);) {
    if (word != key) continue;
    const auto process = posix::identify(std::strtoll(value.c_str(), nullptr, 10));
    if (!process) continue;
    const std::string line = read(fmt::format("/proc/{}/cmdline", process->pid));
    if (line.find(dir_.path("")) != std::string::npos) out.push_back(*process);
  }
  return out;
}

void Hosts::TearDown() {
  for (int n = 1; n <= 9; ++n) kill_member(n);
}

void Hosts::kill_member(int n) {
  for (const char* key : {"guard_pid", "etcd_pid"})
    for (const auto& process : processes(n, key)) {
      (void)posix::send_signal(process, SIGKILL);
      EXPECT_TRUE(eventually([&] { return posix::is_alive(process) == base::Fact<bool>(false); }));
    }
}

void Hosts::signal_etcd(int n, int signal) {
  for (const auto& process : processes(n, "etcd_pid"))
    EXPECT_TRUE(posix::send_signal(process, signal));
}

void Hosts::lose_disk(int n) {
  kill_member(n);
  EXPECT_TRUE(posix::remove_tree(dir(n)));
}

std::string Hosts::address(int n) const {
  return fmt::format("127.75.{}.{}", net_, n);
}
std::string Hosts::client(int n) const {
  return fmt::format("https://{}:{}", address(n), ports_[0]);
}
std::string Hosts::peer(int n) const {
  return fmt::format("https://{}:{}", address(n), ports_[1]);
}

std::map<std::string, std::string> Hosts::flags_of(int n) const {
  std::map<std::string, std::string> out{{"NAME", fmt::format("etcd-{}", n)},
                                         {"BIND_ADDRESS", address(n)},
                                         {"STATE_DIR", dir(n) + "/state"},
                                         {"CERTS_DIR", dir(n) + "/pki"},
                                         {"INSTALL_DIR", dir(n) + "/bin"},
                                         {"CONFIG_DIR", dir(n) + "/etc"},
                                         {"UNIT_DIR", dir(n) + "/unit"},
                                         {"CACHE_DIR", dir_.path("cache")},
                                         {"DATA_DIR", data(n)},
                                         {"INIT_SYSTEM", "none"},
                                         {"TOKEN_TTL", "0"},
                                         {"START_TIMEOUT", "60s"},
                                         {"CLIENT_PORT", std::to_string(ports_[0])},
                                         {"PEER_PORT", std::to_string(ports_[1])},
                                         {"METRICS_PORT", std::to_string(ports_[2])}};
  if (const auto more = extra_.find(n); more != extra_.end())
    for (const auto& [name, value] : more->second) out[name] = value;
  return out;
}

posix::RunResult Hosts::on(int n, std::vector<std::string> args, base::Duration deadline) {
  args.insert(args.begin(), EO_BIN_DIR "/etcdadm");
  std::vector<std::string> env;
  for (const char* name : {"HOME", "PATH", "XDG_CACHE_HOME", "ASAN_OPTIONS"})
    if (const auto value = posix::get_env(name)) env.push_back(fmt::format("{}={}", name, *value));
  for (const auto& [name, value] : flags_of(n))
    env.push_back(fmt::format("ETCDADM_{}={}", name, value));
  auto ran = posix::run({args, env, "/"}, {deadline}, {});
  return ran ? *ran : posix::RunResult{-1, 0, "", ran.error().message, false};
}

void Hosts::must(int n, const std::vector<std::string>& args) {
  const auto ran = on(n, args);
  ASSERT_EQ(ran.exit_code, 0) << args.front() << " on host " << n << "\n" << ran.out << ran.err;
}

std::optional<json::Value> Hosts::ask(int n, std::vector<std::string> args) {
  args.insert(args.end(), {"-o", "json"});
  const auto ran = on(n, args);
  auto value = json::parse(ran.out);
  EXPECT_TRUE(value) << ran.out << ran.err;
  if (!value) return std::nullopt;
  return *std::move(value);
}

void Hosts::copy_authority(int to) {
  ASSERT_TRUE(posix::make_dirs(dir(to) + "/pki"));
  for (int from = 1; from <= 9; ++from)
    if (const auto cert = read(dir(from) + "/pki/ca.crt"); from != to && !cert.empty()) {
      ASSERT_TRUE(posix::write_atomic(dir(to) + "/pki/ca.crt", cert));
      ASSERT_TRUE(posix::write_atomic(dir(to) + "/pki/ca.key", read(dir(from) + "/pki/ca.key")));
      return;
    }
}

void Hosts::build(int hosts, const std::string& version) {
  for (int n = 1; n <= hosts; ++n) extra_[n]["VERSION"] = version;
  must(1, {"init"});
  for (int n = 2; n <= hosts; ++n) {
    copy_authority(n);
    must(n, {"join", peer(1)});
  }
}

std::shared_ptr<etcd::EtcdApi> Hosts::etcd(int n) {
  const std::string pki = flags_of(n).at("CERTS_DIR") + "/";
  return etcd::connect(client(n), {read(pki + "ca.crt"), read(pki + "etcdctl-etcd-client.crt"),
                                   read(pki + "etcdctl-etcd-client.key"), ""});
}

bool Hosts::put(int n, const std::string& key, const std::string& value) {
  return put_to([&] { return etcd(n); }, key, value);
}

std::string Hosts::get(int n, const std::string& key) {
  const auto value = get_from([&] { return etcd(n); }, key);
  EXPECT_TRUE(value) << "host " << n << " does not answer";
  return value.value_or("");
}

bool Hosts::well(int n) {
  return until_good([&] { return on(n, {"status"}); }).exit_code == 0;
}

bool Hosts::sound(int n) {
  return is_sound([&] { return on(n, {"doctor", "-o", "json"}); });
}

std::map<std::string, std::string> Hosts::versions(int from) {
  std::map<std::string, std::string> out;
  const auto value = ask(from, {"status"});
  if (!value || value->find("members") == nullptr) return out;
  for (const auto& m : *value->at("members")->if_array())
    out[json::get_string(m, "name").value_or("?")] = json::get_string(m, "version").value_or("");
  return out;
}

int Hosts::leader(int from) {
  return leader_of(*etcd(from));
}

int leader_of(etcd::EtcdApi& member) {
  const auto status = member.status(5s);
  if (!status) return 0;
  const auto list = member.member_list(false, 5s);
  if (!list) return 0;
  for (const auto& m : list->members)
    if (m.id == status->leader && m.name.starts_with("etcd-"))
      return static_cast<int>(std::strtol(m.name.c_str() + 5, nullptr, 10));
  return 0;
}

Writer::Writer(std::vector<std::shared_ptr<etcd::EtcdApi>> members)
    : members_(std::move(members)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Writer::run(const std::stop_token& stop) {
  for (size_t at = 0; !stop.stop_requested();) {
    const int i = next_;
    const auto until = posix::deadline_in(60s);
    bool done = false;
    while (!done && posix::deadline_in({}) < until) {
      done = members_[at]->put(fmt::format("w/{:06}", i), std::to_string(i), 3s).has_value();
      if (!done) {
        at = (at + 1) % members_.size();
        (void)posix::poll_until({}, posix::deadline_in(20ms), {});
      }
    }
    if (!done) ++failed_;
    ++next_;
    (void)posix::poll_until({}, posix::deadline_in(5ms), stop);
  }
}

int Writer::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return failed_;
}

int Writer::lost(etcd::EtcdApi& member) const {
  const auto found = member.range("w/", "w0", false, 0, 20s);
  if (!found) return -1;
  return next_ - static_cast<int>(found->kvs.size());
}

}  // namespace e2e
