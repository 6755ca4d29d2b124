// What doctor looks for in the cluster.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/findings.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "http/session.h"
#include "posix/files.h"
#include "posix/socket.h"

namespace adm {
namespace {

constexpr base::Duration kDial{1'500}, kPage{3'000}, kSkew{2'500};
constexpr std::uint64_t kFarBehind = 5'000;
constexpr size_t kLimit = size_t{1} << 20;
constexpr double kFar = 0.5;  // seconds: half of the usual election time-out

std::string who(const etcd::Member& m) {
  return m.name.empty() ? base::to_text(m.id) : m.name;
}

bool about_certificates(const base::Error& error) {
  return error.code == base::Code::kFailedPrecondition ||
         error.message.find("alert") != std::string::npos ||
         error.message.find("certificate") != std::string::npos;
}

// As its peers do it: with this host's peer certificate, which etcd asks for.
base::Status shake_hands(const std::string& url, const Host& host, const std::stop_token& stop) {
  http::SessionOptions options;
  options.base_url = url;
  options.connect_deadline = kDial;
  http::Exchange exchange;
  exchange.target = "/version";
  exchange.deadline = kPage;
  TRY(options.ca, posix::read_file(host.certs_dir + "/ca.crt", kLimit));
  TRY(exchange.identity.cert, posix::read_file(host.certs_dir + "/peer.crt", kLimit));
  TRY(exchange.identity.key, posix::read_file(host.certs_dir + "/peer.key", kLimit));
  TRY(const auto session, http::Session::open(options));
  const auto reply = session->perform(exchange, stop);
  if (!reply) return std::unexpected(reply.error().error);
  return {};
}

struct Scene {
  const Context& context;
  const Host& host;
  const Sight& sight;
  const GaugesOf& gauges;
  std::uint64_t newest = 0;
  Findings& out;

  void problem(std::string what, std::string mend) {
    out.push_back({true, std::move(what), std::move(mend)});
  }
  void note(std::string what, std::string mend) {
    out.push_back({false, std::move(what), std::move(mend)});
  }

  void look_at_handshakes(const etcd::Member& m) {
    if (const auto at = gauges.find(m.id);
        at != gauges.end() && !at->second && about_certificates(at->second.error()))
      problem(
          fmt::format("{} at {}: {}", who(m), m.client_urls.front(), at->second.error().message),
          "on that host: etcdadm certs check, etcdadm certs renew");
    for (const auto& url : m.peer_urls)
      if (const auto done = shake_hands(url, host, context.stop);
          !done && about_certificates(done.error()))
        problem(
            fmt::format("members cannot talk to {} at {}: {}", who(m), url, done.error().message),
            "on that host and on this: etcdadm certs check, etcdadm certs renew");
  }

  void look_at_learner(const etcd::Member& m, bool answers, std::uint64_t behind) {
    if (!m.learner) return;
    if (!answers || behind > kFarBehind)
      problem(
          fmt::format("the learner {} is stuck: {}", who(m),
                      answers ? fmt::format("{} entries behind", behind)
                              : std::string("it does not answer")),
          fmt::format("on its host: etcdadm doctor; if it is given up: etcdadm member remove {}",
                      base::to_text(m.id)));
    else
      note(who(m) + " is a learner and does not vote",
           fmt::format("etcdadm member promote {}", base::to_text(m.id)));
  }

  void look_at_gauges(const etcd::Member& m) {
    const auto at = gauges.find(m.id);
    if (at == gauges.end() || !at->second) return;
    const Gauges& g = *at->second;
    if (g.fsync_p99_s)
      if (auto slow = judge_fsync(who(m) + ", since its start", *g.fsync_p99_s))
        out.push_back(*std::move(slow));
    if (g.rtt_p99_s && *g.rtt_p99_s > kFar)
      note(fmt::format("99 of 100 messages of {} to a peer return within {:.0f} ms only", who(m),
                       *g.rtt_p99_s * 1e3),
           "look at the network between the members; they elect a leader after 1 s of silence");
    if (g.clock_ahead && m.id != host.member_id)
      if (auto skew = judge_clock(who(m), *g.clock_ahead)) out.push_back(*std::move(skew));
    const auto& status = sight.statuses.at(m.id);
    const std::int64_t quota = status->db_quota > 0 ? status->db_quota : g.quota.value_or(0);
    if (quota > 0 && status->db_size * 10 > quota * 8)
      problem(
          fmt::format("the database of {} is at {} of {} bytes", who(m), status->db_size, quota),
          "etcdctl compact REVISION, then etcdadm defrag, before it refuses to write");
  }

  void look_at_member(const etcd::Member& m) {
    const auto& status = sight.statuses.at(m.id);
    if (m.client_urls.empty()) {
      problem(fmt::format("{} at {} is in the list and never started", who(m),
                          m.peer_urls.empty() ? "?" : m.peer_urls.front()),
              "etcdadm join on that host, or etcdadm member remove " + base::to_text(m.id));
      return;
    }
    const std::uint64_t behind =
        status && newest > status->raft_applied ? newest - status->raft_applied : 0;
    look_at_learner(m, status.has_value(), behind);
    if (!status) {
      if (m.learner) return;
      problem(fmt::format("{} does not answer: {}", who(m), why_silent(m, context.stop)),
              fmt::format("look at that host; if it is gone for good: etcdadm member replace {}",
                          base::to_text(m.id)));
      look_at_handshakes(m);
      return;
    }
    if (!m.learner && behind > kFarBehind)
      problem(fmt::format("{} is {} entries behind", who(m), behind),
              "its disk or its network is slow: etcdadm doctor on that host measures the disk");
    look_at_handshakes(m);
    look_at_gauges(m);
  }

  // Who runs what, when it is not the same.
  void look_at_versions() {
    std::map<std::string, std::vector<std::string>> by_version;
    for (const auto& m : sight.list.members)
      if (const auto& status = sight.statuses.at(m.id); status)
        by_version[status->version].push_back(who(m));
    if (by_version.size() < 2) return;
    std::vector<std::string> words;
    for (auto& [version, names] : by_version) {
      std::ranges::sort(names);
      words.push_back(fmt::format("{} {}", base::join(names, ", "), version));
    }
    note("the members run different versions: " + base::join(words, "; "), "etcdadm upgrade plan");
  }

  void look_at_alarms() {
    if (!sight.alarms) return;
    for (const auto& alarm : *sight.alarms) {
      if (alarm.kind == etcd::AlarmKind::kNone) continue;
      const bool space = alarm.kind == etcd::AlarmKind::kNoSpace;
      problem(
          fmt::format("alarm {} of {}", space ? "NOSPACE" : "CORRUPT", base::to_text(alarm.member)),
          space ? "etcdctl compact REVISION, etcdadm defrag, then etcdctl alarm disarm"
                : "etcdadm member replace that member, and join it again with no data");
    }
  }
};

}  // namespace

std::optional<Finding> judge_clock(const std::string& member, base::Duration ahead) {
  const auto off = ahead < base::Duration{} ? -ahead : ahead;
  if (off < kSkew) return std::nullopt;
  return Finding{true,
                 fmt::format("the clock of {} is {} {} this host's", member, base::to_text(off),
                             ahead > base::Duration{} ? "ahead of" : "behind"),
                 "let both hosts follow a time server: timedatectl set-ntp true"};
}

std::string why_silent(const etcd::Member& member, const std::stop_token& stop) {
  if (member.client_urls.empty()) return "it has never started";
  const auto at = parse_endpoint(member.client_urls.front());
  if (!at) return at.error().message;
  const auto dialled = posix::Stream::dial(at->host, at->port, kDial, stop);
  if (dialled)
    return "it takes connections and answers nothing: its process is stopped or stuck, or its disk "
           "is";
  if (dialled.error().code == base::Code::kFailedPrecondition)
    return "nothing listens there: its host is up, its etcd is not";
  return "its host does not answer: " + dialled.error().message;
}

bool is_unguarded(const Context& context, const Host& host, const Sight& sight) {
  const auto own = sight.statuses.find(host.member_id);
  return own != sight.statuses.end() && own->second.has_value() &&
         host::is_alive(context.places().member_files()) != base::Fact<bool>(true);
}

void look_at_cluster(const Context& context, const Host& host, Findings& out) {
  const auto at = cluster_of(context, host);
  if (!at) {
    out.push_back({true, at.error().message, "etcdadm certs check"});
    return;
  }
  const auto looked = at->look();
  if (!looked) {
    out.push_back({true, looked.error().message,
                   "start the members that have their data; where half or more are lost for good: "
                   "etcdadm member recover on one that has its data"});
    return;
  }
  const Sight& sight = **looked;
  const auto gauges = ask_gauges(*at, sight, context.stop);
  Scene scene{context, host, sight, gauges, 0, out};
  if (!sight.quorum)
    scene.problem("there is no quorum: " + sight.problem,
                  "start the members that have their data; if they are lost for good: etcdadm "
                  "member recover on one that has its data");
  if (is_unguarded(context, host, sight))
    scene.note(kUnguarded, host.init_system == "systemd"
                               ? "systemctl restart etcd, when it suits"
                               : "etcdadm adopt --restart, when it suits");
  for (const auto& [id, status] : sight.statuses)
    if (status) scene.newest = std::max(scene.newest, status->raft_index);
  for (const auto& m : sight.list.members) scene.look_at_member(m);
  scene.look_at_versions();
  scene.look_at_alarms();
}

}  // namespace adm
