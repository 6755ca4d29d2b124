// Cases on the fake: time passes by being counted.
#include "conformance/etcd_bench.h"
#include "sim/world/api.h"
#include "sim/world/etcd_offline.h"

namespace conformance {
namespace {

class FakeBench final : public Bench, public sim::Wire {
 public:
  using Bench::Bench;

  void launch(int n, const Launch& how) override {
    const auto version = api::parse_version(how.version.empty() ? Bench::version() : how.version);
    sim::Args args = sim::read_args(version.value(), how.flags);
    args.name = how.name.empty() ? "m" + std::to_string(n) : how.name;
    args.peer_url = peer_url(n);
    for (const auto& flag : how.flags)  // the fake listens where it is to be found
      if (const std::string listen = "--listen-peer-urls="; flag.starts_with(listen))
        args.peer_url = flag.substr(listen.size());
    args.client_url = client_url(n);
    for (const int i : how.list) args.initial.emplace_back("m" + std::to_string(i), peer_url(i));
    args.token = how.token;
    args.existing = how.existing;
    args.machine = n;
    if (tls()) args.tls = {side("server"), side("server")};
    pids_[n] = etcd_.start(std::move(args), std::exchange(dirs_[n], {}), now_);
  }
  void kill(int n) override {
    etcd_.stop(pids_[n], sim::Etcd::Stop::kKill, now_);
    if (etcd_.find(pids_[n]) != nullptr) dirs_[n] = etcd_.reap(pids_[n]);
  }
  void terminate(int n) override { etcd_.stop(pids_[n], sim::Etcd::Stop::kTerm, now_); }
  void pause(int n) override { etcd_.pause(pids_[n], now_); }
  void resume(int n) override { etcd_.resume(pids_[n], now_); }
  void wipe(int n) override { dirs_[n] = {}; }
  void keep(int n) override { kept_[n] = dirs_[n]; }
  void put_back(int n) override { dirs_[n] = kept_[n]; }
  void spoil(int n, sim::Damage how) override { dirs_[n].damage = how; }
  bool restore(int from, int n, const std::string& token) override {
    const auto snapshot = sim::snapshot_of(*etcd_.find(pids_[from]));
    const std::string name = "m" + std::to_string(n);
    dirs_[n] = sim::restore(snapshot, name, {{name, peer_url(n)}}, token, 0);
    return !dirs_[n].blank();
  }
  void alter(int n) override { dirs_[n].wrong_bytes = 1; }
  std::unique_ptr<etcd::EtcdApi> connect_as(int n, Who who) override {
    sim::Client client;
    if (tls()) client.tls = side(who == Who::kRoot ? "root" : "nobody");
    if (who == Who::kStranger || who == Who::kUnnamed) client.tls.leaf.ca = 2;
    if (who == Who::kDistrusts) client.tls.trusted = {2};
    return sim::connect(*this, client_url(n), client);
  }
  bool enable_auth(int n) override { return etcd_.set_auth(pids_[n], true, now_).has_value(); }
  bool until(const std::function<bool()>& condition, base::Duration limit) override {
    for (const auto end = now_ + limit; now_ < end; advance(base::Duration(20)))
      if (condition()) return true;
    return condition();
  }
  std::optional<Ended> ended(int n) override {
    const auto* p = etcd_.find(pids_[n]);
    until([&] { return p->phase == sim::Process::Phase::kEnded; }, kLimit);
    if (p->phase != sim::Process::Phase::kEnded) return std::nullopt;
    const sim::End end = *p->end;
    dirs_[n] = etcd_.reap(pids_[n]);
    return judge_end(end.code, end.signal, end.log);
  }

  sim::Etcd& etcd() override { return etcd_; }
  [[nodiscard]] base::Instant now() const override { return now_; }
  void advance(base::Duration by) override {
    now_ += by;
    etcd_.settle(now_);
  }
  sim::CallFault next_call(const std::string& /*url*/, std::string_view /*call*/) override {
    return sim::CallFault::kNone;
  }
  [[nodiscard]] base::Duration latency() override { return base::Duration(1); }
  [[nodiscard]] bool waits() const override { return true; }

 private:
  [[nodiscard]] sim::TlsSide side(const std::string& name) const {
    return {true, {1, base::Instant{}, now_ + std::chrono::hours(24), name}, {1}};
  }

  sim::Etcd etcd_;
  base::Instant now_{base::Duration(1'700'000'000'000)};
  std::map<int, sim::Pid> pids_;
  std::map<int, sim::Dir> dirs_, kept_;
};

}  // namespace

std::unique_ptr<Bench> fake_bench(const std::string& version, std::vector<posix::Port> ports) {
  return std::make_unique<FakeBench>(version, std::move(ports));
}

}  // namespace conformance
