#include "sim/world/api.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "etcd/errors.h"

namespace sim {
namespace {

using etcd::Call;
using etcd::Change;
using enum etcd::GrpcCode;

constexpr std::string_view kNotConnected = "failed to connect to all addresses";

struct Asked {
  std::string_view name;
  Rpc rpc;
  Call kind = Call::kRead;
  // What the member answers when nothing comes of it in seven seconds; kOk: it never answers.
  Refusal late = {};
};

const Refusal kTimedOut{kUnavailable, "etcdserver: request timed out"};
const Refusal kTooLate{kDeadlineExceeded, "context deadline exceeded"};

std::string sha256(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return {};
  return {digest.begin(), digest.begin() + size};
}

bool trusts(const TlsSide& by, const Leaf& leaf, base::Instant now) {
  return std::ranges::find(by.trusted, leaf.ca) != by.trusted.end() && leaf.from <= now &&
         now < leaf.until;
}

class FakeApi final : public etcd::EtcdApi {
 public:
  FakeApi(Wire& wire, const std::string& url, const Client& client)
      : wire_(wire), url_(url), client_(client) {}

  base::Result<etcd::MemberList> member_list(bool linearizable, base::Duration deadline) override {
    const auto rpc = linearizable ? Rpc::kMemberListLinearizable : Rpc::kMemberList;
    return read<etcd::MemberList>(
        {"member_list", rpc, Call::kRead, kTimedOut}, deadline, linearizable,
        [](Etcd& e, Pid pid) { return Reply<etcd::MemberList>(e.member_list(pid)); });
  }

  base::Result<etcd::MemberStatus> status(base::Duration deadline) override {
    return read<etcd::MemberStatus>(
        {"status", Rpc::kStatus}, deadline, false,
        [](Etcd& e, Pid pid) { return Reply<etcd::MemberStatus>(e.status(pid)); });
  }

  base::Result<std::vector<etcd::Alarm>> alarms(base::Duration deadline) override {
    using Alarms = std::vector<etcd::Alarm>;
    return read<Alarms>(
        {"alarms", Rpc::kAlarms, Call::kRead, kTooLate}, deadline, true,
        [](Etcd& e, Pid pid) { return Reply<Alarms>(e.find(pid)->state().alarms); });
  }

  base::Result<etcd::Hash> hash_kv(std::int64_t revision, base::Duration deadline) override {
    return read<etcd::Hash>({"hash_kv", Rpc::kHashKv}, deadline, false,
                            [&](Etcd& e, Pid pid) { return e.hash_kv(pid, revision); });
  }

  base::Result<etcd::RangeResult> range(const std::string& key, const std::string& range_end,
                                        bool serializable, std::int64_t revision,
                                        base::Duration deadline) override {
    const auto rpc = serializable ? Rpc::kRange : Rpc::kRangeLinearizable;
    return read<etcd::RangeResult>(
        {"range", rpc, Call::kRead, kTimedOut}, deadline, !serializable,
        [&](Etcd& e, Pid pid) { return e.range(pid, key, range_end, revision); });
  }

  base::Result<std::int64_t> quorum_read(base::Duration deadline) override {
    return read<std::int64_t>(
        {"quorum_read", Rpc::kRangeLinearizable, Call::kRead, kTimedOut}, deadline, true,
        [](Etcd& e, Pid pid) { return Reply<std::int64_t>(e.find(pid)->state().revision); });
  }

  // Of the size of a small database; what it holds is got by snapshot_of().
  base::Status snapshot(const std::function<bool(std::string_view)>& sink,
                        base::Duration deadline) override {
    const auto text =
        read<std::string>({"snapshot", Rpc::kSnapshot}, deadline, false, [](Etcd& e, Pid pid) {
          const State& state = e.find(pid)->state();
          return Reply<std::string>(
              fmt::format("revision {} digest {:x}", state.revision, state.digest()));
        });
    if (!text) return std::unexpected(text.error());
    std::string bytes = *text;
    bytes.resize(1024, '\0');
    bytes += sha256(bytes);
    if (sink(bytes)) return {};
    return base::fail(base::Code::kCancelled, "snapshot stopped by its reader");
  }

  Change<std::int64_t> put(const std::string& key, const std::string& value,
                           base::Duration deadline) override {
    const auto entry = change({"put", Rpc::kPut, Call::kPut, kTooLate}, deadline,
                              [&](Etcd& e, Pid pid) { return e.put(pid, key, value, now()); });
    if (!entry) return std::unexpected(entry.error());
    return (*entry)->state->revision;
  }

  Change<etcd::Member> member_add(const std::string& peer_url, bool learner,
                                  base::Duration deadline) override {
    const auto entry =
        change({"member_add", Rpc::kMemberChange, Call::kMemberAdd}, deadline,
               [&](Etcd& e, Pid pid) { return e.member_add(pid, peer_url, learner, now()); });
    if (!entry) return std::unexpected(entry.error());
    return *(*entry)->state->membership->find((*entry)->op.member);
  }

  Change<void> member_remove(base::MemberId id, base::Duration deadline) override {
    return done(change({"member_remove", Rpc::kMemberChange, Call::kMemberRemove}, deadline,
                       [&](Etcd& e, Pid pid) { return e.member_remove(pid, id, now()); }));
  }

  Change<void> member_promote(base::MemberId id, base::Duration deadline) override {
    return done(change({"member_promote", Rpc::kMemberChange, Call::kMemberPromote, kTimedOut},
                       deadline,
                       [&](Etcd& e, Pid pid) { return e.member_promote(pid, id, now()); }));
  }

  Change<void> member_update(base::MemberId id, const std::string& peer_url,
                             base::Duration deadline) override {
    return done(
        change({"member_update", Rpc::kMemberChange, Call::kMemberUpdate}, deadline,
               [&](Etcd& e, Pid pid) { return e.member_update(pid, id, peer_url, now()); }));
  }

  Change<void> move_leader(base::MemberId to, base::Duration deadline) override {
    return done(change({"move_leader", Rpc::kMoveLeader, Call::kMoveLeader}, deadline,
                       [&](Etcd& e, Pid pid) { return e.move_leader(pid, to, now()); }));
  }

  Change<void> defragment(base::Duration deadline) override {
    return done(change({"defragment", Rpc::kDefragment, Call::kDefragment}, deadline,
                       [&](Etcd& e, Pid pid) -> Reply<Pending> {
                         const auto made = e.defragment(pid);
                         if (!made) return std::unexpected(made.error());
                         // It is there already: no entry of the log is waited for.
                         return Pending{pid, e.find(pid)->applied, {}, false};
                       }));
  }

  Change<void> compact(std::int64_t revision, bool /*physical*/, base::Duration deadline) override {
    return done(change({"compact", Rpc::kCompact, Call::kCompact, kTooLate}, deadline,
                       [&](Etcd& e, Pid pid) { return e.compact(pid, revision, now()); }));
  }

  Change<void> disarm(base::MemberId member, etcd::AlarmKind kind,
                      base::Duration deadline) override {
    return done(change({"disarm", Rpc::kDisarm, Call::kDisarm, kTooLate}, deadline,
                       [&](Etcd& e, Pid pid) { return e.disarm(pid, member, kind, now()); }));
  }

  Change<void> downgrade(etcd::DowngradeAction action, const std::string& version,
                         base::Duration deadline) override {
    return done(change({"downgrade", Rpc::kDowngrade, Call::kDowngrade, kTimedOut}, deadline,
                       [&](Etcd& e, Pid pid) { return e.downgrade(pid, action, version, now()); }));
  }

 private:
  // One call on its way: what is left of its time, and whether its answer comes back.
  struct Way {
    Pid pid = 0;
    base::Instant until{};
    bool answered = true;
  };

  [[nodiscard]] base::Instant now() const { return wire_.now(); }

  void spend(const Way& way) {
    if (now() < way.until) wire_.advance(way.until - now());
  }

  std::unexpected<Refusal> no_answer(const Way& way) {
    spend(way);
    return std::unexpected(Refusal{kDeadlineExceeded, "Deadline Exceeded"});
  }

  std::unexpected<Refusal> not_connected(const Way& way) {
    spend(way);
    return std::unexpected(
        Refusal{kUnavailable, fmt::format("{}: {} did not answer in time", kNotConnected, url_)});
  }

  bool cut_to(const Process& p) { return wire_.etcd().is_cut(client_.machine, p.args->machine); }
  bool cut_from(const Process& p) { return wire_.etcd().is_cut(p.args->machine, client_.machine); }

  Reply<void> handshake(const Process& p) {
    const TlsSide& server = p.tls->client;
    if (server.on != client_.tls.on) return std::unexpected(Refusal{kUnavailable, "Socket closed"});
    if (!server.on) return {};
    if (!trusts(client_.tls, server.leaf, now()))
      return std::unexpected(
          Refusal{kUnavailable, fmt::format("{}: Ssl handshake failed", kNotConnected)});
    // By then the client takes the connection for made.
    if (!trusts(server, client_.tls.leaf, now()))
      return std::unexpected(Refusal{kUnavailable, "Socket closed"});
    return {};
  }

  Reply<Way> reach(const Asked& asked, base::Duration deadline) {
    Way way{0, now() + deadline, true};
    const auto fault = wire_.next_call(url_, asked.name);
    if (fault == CallFault::kRefused)
      return std::unexpected(Refusal{kUnavailable, std::string(kNotConnected)});
    if (const auto latency = wire_.latency(); latency > base::Duration(0)) wire_.advance(latency);
    if (fault == CallFault::kLostRequest) return no_answer(way);
    const Process* p = wire_.etcd().at_client_url(url_);
    if (p == nullptr || !p->ready)
      return std::unexpected(
          Refusal{kUnavailable, fmt::format("{}: Connection refused", kNotConnected)});
    if (p->pid != connected_) {
      if (p->paused || cut_to(*p) || cut_from(*p)) return not_connected(way);
      if (auto shaken = handshake(*p); !shaken) return std::unexpected(shaken.error());
      connected_ = p->pid;
    }
    if (p->paused || cut_to(*p)) return no_answer(way);
    way.pid = p->pid;
    way.answered = fault != CallFault::kLostAnswer && !cut_from(*p);
    if (auto admitted = wire_.etcd().admits(way.pid, asked.rpc, user(*p)); !admitted) {
      if (!way.answered) return no_answer(way);
      return std::unexpected(admitted.error());
    }
    return way;
  }

  [[nodiscard]] std::string user(const Process& p) const {
    return p.tls->client.on ? client_.tls.leaf.name : std::string();
  }

  // Until `ready`, the member's own limit, or the caller's.
  template <class Ready>
  Reply<void> wait(const Way& way, const Asked& asked, const Ready& ready) {
    const auto limit = asked.late.code == kOk
                           ? way.until
                           : std::min(way.until, now() + wire_.etcd().timing().timeout);
    while (!ready()) {
      const Process* p = wire_.etcd().find(way.pid);
      if (p == nullptr || p->phase != Process::Phase::kRunning)
        return std::unexpected(Refusal{kUnavailable, asked.kind == Call::kMemberRemove
                                                         ? "etcdserver: server stopped"
                                                         : "Socket closed"});
      if (now() >= limit || !wire_.waits()) {
        if (limit == way.until) return no_answer(way);
        if (now() < limit) wire_.advance(limit - now());
        return std::unexpected(asked.late);
      }
      const auto next = wire_.etcd().next_event().value_or(limit);
      const auto step = std::clamp(next, now() + base::Duration(1), limit);
      wire_.advance(step - now());
    }
    return {};
  }

  template <class T, class Body>
  base::Result<T> read(const Asked& asked, base::Duration deadline, bool by_quorum,
                       const Body& body) {
    const auto failed = [&](const Refusal& why) {
      return std::unexpected(etcd::judge(Call::kRead, why.code, why.text).error);
    };
    if (deadline <= base::Duration(0))
      return failed({kDeadlineExceeded, "no time was left for the call"});
    const auto way = reach(asked, deadline);
    if (!way) return failed(way.error());
    Etcd& e = wire_.etcd();
    if (by_quorum) {
      const auto waited = wait(*way, asked, [&] { return e.can_read(way->pid); });
      if (!waited) return failed(waited.error());
    }
    Reply<T> answer = body(e, way->pid);
    if (!way->answered) return failed(no_answer(*way).error());
    if (!answer) return failed(answer.error());
    return *std::move(answer);
  }

  template <class Body>
  Change<Log> change(const Asked& asked, base::Duration deadline, const Body& body) {
    const auto failed = [&](const Refusal& why) -> Change<Log> {
      auto judged = etcd::judge(asked.kind, why.code, why.text);
      if (judged.outcome == etcd::Outcome::kDone) return Log();
      return std::unexpected(etcd::Failure{judged.outcome, std::move(judged.error)});
    };
    if (deadline <= base::Duration(0))
      return std::unexpected(
          etcd::Failure{etcd::Outcome::kRefused,
                        {base::Code::kDeadlineExceeded, "no time was left for the call"}});
    const auto way = reach(asked, deadline);
    if (!way) return failed(way.error());
    Etcd& e = wire_.etcd();
    const Reply<Pending> sent = body(e, way->pid);
    if (!sent && way->answered) return failed(sent.error());
    if (!sent) return failed(no_answer(*way).error());
    const auto waited = wait(*way, asked, [&] { return e.done(*sent); });
    if (!waited) return failed(waited.error());
    if (!way->answered) return failed(no_answer(*way).error());
    if (sent->entry && sent->entry->refusal.code != kOk && asked.rpc != Rpc::kDefragment)
      return failed(sent->entry->refusal);
    return sent->entry;
  }

  static Change<void> done(const Change<Log>& entry) {
    if (!entry) return std::unexpected(entry.error());
    return {};
  }

  Wire& wire_;
  std::string url_;
  Client client_;
  Pid connected_ = 0;
};

}  // namespace

std::unique_ptr<etcd::EtcdApi> connect(Wire& wire, const std::string& url, const Client& client) {
  return std::make_unique<FakeApi>(wire, url, client);
}

}  // namespace sim
