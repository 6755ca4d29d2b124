// What a case of the conformance of the fake etcd may do: the same on the fake and on processes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "etcd/api.h"
#include "guard/files.h"
#include "posix/net.h"
#include "sim/world/etcd_process.h"

namespace conformance {

// A value that a case writes so that its bytes can be found and spoilt.
constexpr const char* kVictim = "the-value-that-is-spoilt";
constexpr base::Duration kCall{30'000}, kLimit{60'000};

struct Launch {
  std::vector<int> list = {};  // of initial-cluster, by number
  bool existing = false;
  std::string token = "test", name = {};  // empty: of its number
  std::string version = {};               // empty: of the bench
  std::vector<std::string> flags = {};
};

struct Ended {
  int code = -1;
  guard::Class klass = guard::Class::kNone;
  std::string signature;  // by which the guard knew it
};

// What a client shows over TLS.
enum class Who {
  kRoot,
  kNobody,    // of the right CA, but no user
  kStranger,  // of another CA
  kUnnamed,   // no certificate
  kDistrusts  // one that does not trust the server's CA
};

class Bench {
 public:
  Bench(std::string version, std::vector<posix::Port> ports)
      : version_(std::move(version)), ports_(std::move(ports)) {}
  virtual ~Bench() = default;

  virtual void launch(int n, const Launch& how) = 0;
  virtual void kill(int n) = 0;       // SIGKILL; its data stays
  virtual void terminate(int n) = 0;  // SIGTERM
  virtual void pause(int n) = 0;
  virtual void resume(int n) = 0;
  // Data of a stopped member.
  virtual void wipe(int n) = 0;
  virtual void keep(int n) = 0;      // a copy
  virtual void put_back(int n) = 0;  // the copy in its place
  virtual void spoil(int n, sim::Damage how) = 0;
  // etcdutl snapshot restore of what `from` holds, as member `n` alone, under `token`.
  virtual bool restore(int from, int n, const std::string& token) = 0;

  // Changes bytes of kVictim in its database, which no check sum of etcd's notices.
  virtual void alter(int n) = 0;

  virtual std::unique_ptr<etcd::EtcdApi> connect_as(int n, Who who) = 0;
  // Auth with the user root, known by its certificate.
  virtual bool enable_auth(int n) = 0;
  // Lets time pass until it holds.
  virtual bool until(const std::function<bool()>& condition, base::Duration limit = kLimit) = 0;
  // Of a process that ends by itself; nothing if it runs on.
  virtual std::optional<Ended> ended(int n) = 0;

  [[nodiscard]] std::string url(size_t place) const {
    return (tls_ ? "https" : "http") + ("://127.0.0.1:" + std::to_string(ports_[place]));
  }
  [[nodiscard]] std::string client_url(int n) const { return url(static_cast<size_t>(n) * 2); }
  [[nodiscard]] std::string peer_url(int n) const { return url(static_cast<size_t>(n) * 2 + 1); }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] bool is_35() const { return version_.starts_with("3.5"); }

  etcd::EtcdApi& api(int n) {
    auto& kept = apis_[n];
    if (!kept) kept = connect_as(n, Who::kRoot);
    return *kept;
  }
  void use_tls() { tls_ = true; }
  [[nodiscard]] bool tls() const { return tls_; }
  // Members 0 to n-1 of one bootstrap.
  bool form(int n, const std::vector<std::string>& flags = {});
  bool ready(int n) {
    return until([&] { return api(n).quorum_read(kCall).has_value(); });
  }
  int leader(int of);
  base::MemberId id(int n) { return api(n).status(kCall).value_or(etcd::MemberStatus()).id; }
  // etcd refuses adds for some seconds after a start; another refusal is the answer.
  etcd::Change<etcd::Member> add(int through, const std::string& url, bool learner);

 private:
  std::string version_;
  std::vector<posix::Port> ports_;
  bool tls_ = false;
  std::map<int, std::unique_ptr<etcd::EtcdApi>> apis_;
};

std::unique_ptr<Bench> fake_bench(const std::string& version, std::vector<posix::Port> ports);
std::unique_ptr<Bench> real_bench(const std::string& version, std::vector<posix::Port> ports);

Ended judge_end(int code, int signal, const std::string& log);

}  // namespace conformance
