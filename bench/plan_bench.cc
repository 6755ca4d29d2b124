// plan() on a converged cluster: what every idle pass costs.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "plan/plan.h"

namespace {

using namespace plan;

struct Situation {
  Intent intent;
  Record record;
  Observation seen;
  base::Instant now{base::Duration(1'795'000'000'000)};
};

Addresses addresses(int ordinal) {
  const auto url = [&](int kind) {
    return fmt::format("https://127.0.0.1:{}", 20'000 + 3 * ordinal + kind);
  };
  return {url(0), url(1), url(2)};
}

void add_member(Situation& s, Membership& list, int ordinal) {
  const std::string name = fmt::format("c-{}", ordinal);
  const base::MemberId id{static_cast<std::uint64_t>(ordinal) + 1};
  MemberRecord record;
  record.name = name;
  record.ordinal = ordinal;
  record.addresses = addresses(ordinal);
  record.volume = "volume";
  record.incarnation = s.record.incarnation;
  record.id = id;
  record.phase = Phase::kVoter;
  record.permit = Permit::kData;
  record.may_start = true;
  record.version = s.record.version;
  record.template_hash = s.record.template_hash;
  s.record.members[name] = record;
  MemberFacts facts;
  facts.process = Process::kRunning;
  facts.data = Data::kOwn;
  facts.version = record.version.text();
  facts.template_hash = record.template_hash;
  facts.certificate_renew_at = s.now + std::chrono::hours(1000);
  facts.certificate_expires = s.now + std::chrono::hours(2000);
  s.seen.members[name] = facts;
  list.members.push_back({id, name, record.addresses.peer_url, true, false});
  EtcdStatus status;
  status.cluster_id = s.record.cluster_id;
  status.leader = base::MemberId{1};
  status.version = record.version.text();
  status.revision = 100;
  status.raft_index = status.raft_applied = 120;
  status.raft_term = 2;
  s.seen.statuses[id] = status;
}

Situation converged(int members) {
  Situation s;
  s.intent.cluster.key = {"default", "c"};
  s.intent.cluster.spec.size = members;
  s.intent.cluster.spec.version = {3, 5, 33, ""};
  s.intent.template_hash = "hash";
  s.record.key = s.intent.cluster.key;
  s.record.incarnation = s.record.token = "incarnation";
  s.record.formation = Formation::kLatched;
  s.record.cluster_id = base::ClusterId{7};
  s.record.next_ordinal = members;
  s.record.size = members;
  s.record.version = s.intent.cluster.spec.version;
  s.record.template_hash = "hash";
  s.record.open_to_clients = true;
  Membership list;
  list.cluster_id = s.record.cluster_id;
  for (int i = 0; i < members; ++i) add_member(s, list, i);
  s.seen.membership = list;
  s.seen.quorum_read = s.now;
  s.seen.alarms = std::vector<Alarm>{};
  s.seen.cluster_version = api::Version{3, 5, 0, ""};
  s.seen.binaries["3.5.33"] = Binary::kPresent;
  s.seen.client_certificate_published = true;
  s.seen.client_certificate_renew_at = s.now + std::chrono::hours(1000);
  return s;
}

void plan_converged(benchmark::State& state) {
  const auto s = converged(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    auto p = plan::plan(s.intent, s.record, s.seen, s.now);
    if (!p.steps.empty()) state.SkipWithError("the cluster is not converged");
    benchmark::DoNotOptimize(p);
  }
}
BENCHMARK(plan_converged)->Arg(3)->Arg(5)->Arg(7);

}  // namespace
