// For tests of the fake etcd: a few members on machines of their own, and time that passes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/world/api.h"
#include "sim/world/etcd.h"

namespace sim {

inline base::Instant at_seconds(double seconds) {
  return base::Instant(
      base::Duration(static_cast<std::int64_t>(1'700'000'000'000.0 + seconds * 1000)));
}

class Lab : public Wire {
 public:
  explicit Lab(const Timing& timing = {}, std::uint64_t seed = 1) : etcd_(timing, seed) {}

  Etcd& etcd() override { return etcd_; }
  [[nodiscard]] base::Instant now() const override { return now_; }
  void advance(base::Duration by) override {
    now_ += by;
    etcd_.settle(now_);
  }
  CallFault next_call(const std::string& /*url*/, std::string_view /*call*/) override {
    return std::exchange(fault, CallFault::kNone);
  }
  [[nodiscard]] base::Duration latency() override { return base::Duration(1); }
  [[nodiscard]] bool waits() const override { return true; }

  static std::string peer_url(int n) { return "http://m" + std::to_string(n) + ":2380"; }
  static std::string client_url(int n) { return "http://m" + std::to_string(n) + ":2379"; }

  static Args args(int n, int of, const std::string& version = "3.6.16") {
    Args a;
    a.version = api::parse_version(version).value();
    a.name = "m" + std::to_string(n);
    a.peer_url = peer_url(n);
    a.client_url = client_url(n);
    for (int i = 0; i < of; ++i) a.initial.emplace_back("m" + std::to_string(i), peer_url(i));
    a.token = "test";
    a.machine = n;
    return a;
  }

  // Members 0 to n-1, up and old enough for the guard of adds.
  void form(int n, const std::string& version = "3.6.16") {
    for (int i = 0; i < n; ++i) launch(args(i, n, version), {});
    advance(base::Duration(15'000));
  }
  Pid launch(Args a, Dir dir) {
    const auto machine = static_cast<size_t>(a.machine);
    if (pids.size() <= machine) pids.resize(machine + 1);
    return pids[machine] = etcd_.start(std::move(a), std::move(dir), now_);
  }
  [[nodiscard]] const Process& at(int n) const { return *etcd_.find(pids[static_cast<size_t>(n)]); }
  Dir kill(int n) {
    etcd_.stop(at(n).pid, Etcd::Stop::kKill, now_);
    return etcd_.reap(at(n).pid);
  }
  [[nodiscard]] int leader() const {
    for (size_t i = 0; i < pids.size(); ++i)
      if (const Process* p = etcd_.find(pids[i]); p != nullptr && p->leads)
        return static_cast<int>(i);
    return -1;
  }
  std::unique_ptr<etcd::EtcdApi> api(int n, const Client& client = {}) {
    return connect(*this, client_url(n), client);
  }
  [[nodiscard]] base::MemberId id(int n) const { return at(n).id(); }

  CallFault fault = CallFault::kNone;  // of the next call
  std::vector<Pid> pids;               // by machine

 private:
  Etcd etcd_;
  base::Instant now_ = at_seconds(0);
};

}  // namespace sim
