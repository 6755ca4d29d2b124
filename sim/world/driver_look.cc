// What a driver sees of a world without asking etcd.
#include <algorithm>

#include "base/text.h"
#include "drivers/live/member_facts.h"
#include "sim/world/driver.h"

namespace sim {
namespace {

template <class T>
base::Fact<T> fact_of(const File<T>& file) {
  return file ? base::Fact<T>(*file) : base::Fact<T>::absent();
}

// Two thirds of its life, as pki::renew_at.
base::Instant renew_at(const Leaf& leaf) {
  return leaf.from + (leaf.until - leaf.from) * 2 / 3;
}

plan::MemberFacts nothing_known(const std::string& why) {
  plan::MemberFacts facts;
  facts.process = base::Fact<plan::Process>::unknown(why);
  facts.data = base::Fact<plan::Data>::unknown(why);
  facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::unknown(why);
  facts.ticket = base::Fact<plan::Permit>::unknown(why);
  return facts;
}

}  // namespace

plan::Addresses addresses_of(const base::ClusterKey& key, int ordinal, bool tls) {
  const std::string host = key.name + "-" + std::to_string(ordinal);
  return {"https://" + host + ":2380", (tls ? "https://" : "http://") + host + ":2379",
          "http://" + host + ":2381"};
}

plan::Observation SimDriver::observe(const engine::Job& job, bool want_hashes,
                                     const std::stop_token& stop) {
  plan::Observation seen;
  world_.advance(world_.latency());
  see_places(job, seen);
  if (world_.stores != nullptr) world_.stores->see(seen);
  see_offers(job, seen);
  see_binaries(job, seen);
  see_saved(job, seen);
  if (const auto ready = etcd_.dial(job.intent.cluster.spec.tls); !ready) {
    seen.membership = base::Fact<plan::Membership>::unknown(ready.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(ready.error().message);
    return seen;
  }
  etcd_.observe({job, stop}, want_hashes, seen);
  return seen;
}

plan::MemberFacts SimDriver::look_at(const plan::MemberRecord& member) const {
  live::Found found;
  const auto at = world_.places.find(member.name);
  if (at == world_.places.end()) {
    found.alive = found.directory = found.data = false;
    found.state = base::Fact<guard::State>::absent();
    found.verdict = base::Fact<guard::Verdict>::absent();
    found.marker = base::Fact<guard::Marker>::absent();
    found.ticket = base::Fact<guard::Ticket>::absent();
    auto facts = live::judge(found, member, "");
    facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::absent();
    return facts;
  }
  const Place& p = at->second;
  if (!world_.reaches(p.machine)) return nothing_known("its machine does not answer");
  const Process* etcd = world_.process_of(member.name);
  found.alive = p.guard.phase != Guard::Phase::kNone;
  found.directory = true;
  found.data = etcd != nullptr ? !etcd->dir.blank() : !p.volume.data.blank();
  found.state = fact_of(p.state);
  found.verdict = fact_of(p.verdict);
  found.marker = p.volume.marker_torn ? base::Fact<guard::Marker>::unknown("the marker is torn")
                                      : fact_of(p.volume.marker);
  found.ticket = fact_of(p.ticket);
  const int boots = world_.machines[static_cast<size_t>(p.machine)].boots;
  auto facts = live::judge(found, member, std::to_string(boots));
  if (p.has_leaves()) {
    facts.certificate_renew_at = std::min(renew_at(p.server), renew_at(p.peer));
    facts.certificate_expires = std::min(p.server.until, p.peer.until);
  } else {
    facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::absent();
  }
  return facts;
}

void SimDriver::see_places(const engine::Job& job, plan::Observation& seen) const {
  for (const auto& [name, member] : job.record.members) seen.members.emplace(name, look_at(member));
  const Leaf& own = world_.operator_leaf;
  const Leaf& user = world_.user_leaf;
  if (own.until == base::Instant{})
    seen.client_certificate_renew_at = base::Fact<base::Instant>::absent();
  else if (user.until == base::Instant{})
    seen.client_certificate_renew_at = renew_at(own);
  else
    seen.client_certificate_renew_at = std::min(renew_at(own), renew_at(user));
  seen.client_certificate_published = world_.published;

  std::vector<std::string> stray, running;
  for (const auto& [name, p] : world_.places) {
    if (job.record.members.contains(name)) continue;
    if (!world_.reaches(p.machine)) {
      seen.stray_data = seen.stray_processes =
          base::Fact<std::vector<std::string>>::unknown(name + " does not answer");
      return;
    }
    if (world_.is_alive(name)) running.push_back(name);
    const bool blank = world_.volume_of(name).data.blank();
    if (blank && !p.ticket) continue;
    std::string whose = name;
    if (p.volume.marker) whose += " of incarnation " + p.volume.marker->incarnation;
    stray.push_back(whose + (blank ? " (without its data)" : ""));
  }
  seen.stray_data = std::move(stray);
  seen.stray_processes = std::move(running);
}

void SimDriver::see_offers(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const int have = static_cast<int>(std::ranges::count_if(record.members, [](const auto& m) {
    return m.second.phase != plan::Phase::kRetired && m.second.phase != plan::Phase::kSurvivor;
  }));
  const int more = std::max(1, job.intent.cluster.spec.size - have + 1);
  const bool tls = job.intent.cluster.spec.tls.mode != api::TlsMode::kDisabled;
  for (int i = record.next_ordinal; i < record.next_ordinal + more; ++i)
    seen.addresses[i] = addresses_of(key_, i, tls);
  const auto ms = static_cast<std::uint64_t>(world_.now().time_since_epoch().count());
  const auto chance = world_.draw();
  seen.fresh_incarnation = world_.stores != nullptr
                               ? world_.stores->fresh_incarnation(record, seen, chance)
                               : base::to_hex(ms) + "-" + base::to_hex(chance & 0xffffffffULL);
  seen.fresh_operation = base::to_hex(world_.draw() & 0xffffffffULL);
  for (int i = 0; i < more; ++i) seen.fresh_volumes.push_back(base::to_hex(world_.draw()));
}

void SimDriver::see_binaries(const engine::Job& job, plan::Observation& seen) const {
  const auto look = [&](const api::Version& version) {
    if (version == api::Version{}) return;
    const std::string text = version.text();
    seen.binaries[text] =
        world_.binaries.contains(text) ? plan::Binary::kPresent : plan::Binary::kMissing;
  };
  look(job.intent.cluster.spec.version);
  look(job.record.version);
  for (const auto& [name, member] : job.record.members) look(member.version);
}

}  // namespace sim
