// A look at one cluster: the files of its members, then what etcd answers.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "drivers/host/driver.h"
#include "drivers/host/members.h"
#include "drivers/jobs/jobs.h"
#include "pki/random.h"
#include "posix/files.h"

namespace host {
plan::Observation HostDriver::observe(const engine::Job& job, bool want_hashes,
                                      const std::stop_token& stop) {
  plan::Observation seen;
  const Call call{job, stop};
  take_certificates(job);
  see_files(job, seen);
  see_binaries(call, seen);
  see_survivor(job, seen);
  see_backup(seen);
  see_drill(seen);
  see_follower(job, seen);
  seen.no_slot = shared_.job_slots.full(files_.dir + "/jobs");
  see_fetch(job, seen);
  see_offers(job, seen);  // names what follows all of that
  if (const auto ready = etcd_.dial(job.intent.cluster.spec.tls); !ready) {
    seen.membership = base::Fact<plan::Membership>::unknown(ready.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(ready.error().message);
    return seen;
  }
  etcd_.observe(call, want_hashes, seen);
  return seen;
}

void HostDriver::see_files(const engine::Job& job, plan::Observation& seen) {
  for (const auto& [name, member] : job.record.members) {
    const MemberFiles files = files_of(name);
    auto facts = look_at_member(files, member, shared_.boot_id);
    const auto dates = certificates_.member_dates(files);
    if (dates.known()) {
      facts.certificate_renew_at = dates->renew_at;
      facts.certificate_expires = dates->expires;
    } else if (dates.is_absent()) {
      facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::absent();
    } else {
      facts.certificate_renew_at = facts.certificate_expires =
          base::Fact<base::Instant>::unknown(dates.why());
    }
    const auto change = certificates_.user_change(files);
    facts.certificate_replaced = change.leaf;
    facts.trust_replaced = change.trust;
    seen.members.emplace(name, std::move(facts));
  }
  seen.user_certificates_problem = certificates_.user_problem();
  if (seen.user_certificates_problem.empty())  // of our own then: what is missing
    seen.user_certificates_problem = certificates_.authority_problem(job.record.incarnation);
  seen.client_certificate_replaced = certificates_.client_change(job.intent.cluster.spec.tls);
  const auto client = certificates_.client_dates(job.intent.cluster.spec.tls);
  if (client.known())
    seen.client_certificate_renew_at = client->renew_at;
  else if (client.is_absent())
    seen.client_certificate_renew_at = base::Fact<base::Instant>::absent();
  else
    seen.client_certificate_renew_at = base::Fact<base::Instant>::unknown(client.why());
  seen.authority_renew_at = certificates_.authority_renew_at(job.record.incarnation);
  seen.client_certificate_published = certificates_.published();
  see_strays(job, seen);
}

void HostDriver::see_strays(const engine::Job& job, plan::Observation& seen) {
  using Names = std::vector<std::string>;
  seen.stray_data = seen.stray_processes = Names{};
  const auto names = posix::list_dir(files_.members);
  if (!names && names.error().code == base::Code::kNotFound) return;
  if (!names) {
    seen.stray_data = seen.stray_processes = base::Fact<Names>::unknown(names.error().message);
    return;
  }
  Names stray, running;
  std::string data_unknown, process_unknown;
  for (const auto& name : *names) {
    if (job.record.members.contains(name)) continue;
    const MemberFiles files = files_of(name);
    const auto alive = is_alive(files);
    if (alive.is_unknown()) process_unknown = alive.why();
    if (alive == base::Fact<bool>(true)) running.push_back(name);
    const auto data = has_data(files);
    if (data.is_unknown()) data_unknown = data.why();
    // A ticket without data: what it belonged to lost its data, or was about to begin.
    const bool has = data == base::Fact<bool>(true);
    if (!has && posix::exists(files.ticket) != base::Fact<bool>(true)) continue;
    std::string whose = name;
    if (const auto bytes = posix::read_file(files.marker, size_t{1} << 16))
      if (const auto marker = guard::decode_marker(*bytes))
        whose += " of incarnation " + marker->incarnation;
    stray.push_back(whose + (has ? "" : " (without its data)"));
  }
  seen.stray_data = data_unknown.empty() ? base::Fact<Names>(std::move(stray))
                                         : base::Fact<Names>::unknown(data_unknown);
  seen.stray_processes = process_unknown.empty() ? base::Fact<Names>(std::move(running))
                                                 : base::Fact<Names>::unknown(process_unknown);
}

void HostDriver::see_offers(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const int have = static_cast<int>(std::ranges::count_if(record.members, [](const auto& m) {
    return m.second.phase != plan::Phase::kRetired && m.second.phase != plan::Phase::kSurvivor;
  }));
  const int more = std::max(1, job.intent.cluster.spec.size - have + 1);
  const bool tls = job.intent.cluster.spec.tls.mode != api::TlsMode::kDisabled;
  auto offers = shared_.ports.offer(key_, record.next_ordinal, more, tls);
  if (offers)
    seen.addresses = std::move(*offers);
  else
    shared_.log.warning("no_free_ports",
                        {{"cluster", key_.text()}, {"error", offers.error().message}});
  seen.fresh_incarnation =
      jobs::fresh_incarnation(record, seen, shared_.clock.now(), shared_.random.next());
  seen.fresh_operation = base::to_hex(shared_.random.next() & 0xffffffffffULL);
  for (int i = 0; i < more; ++i)
    if (auto name = pki::random_hex(16)) seen.fresh_volumes.push_back(std::move(*name));
}

void HostDriver::see_binaries(const Call& call, plan::Observation& seen) {
  std::set<api::Version> wanted{call.job.intent.cluster.spec.version};
  if (call.job.record.version != api::Version{}) wanted.insert(call.job.record.version);
  for (const auto& [name, member] : call.job.record.members)
    if (member.version != api::Version{}) wanted.insert(member.version);
  for (const auto& version : wanted) {
    const auto found = shared_.binaries.find(version, call.stop);
    auto& fact = seen.binaries[version.text()];
    if (found)
      fact = plan::Binary::kPresent;
    else if (shared_.fetcher.busy(version.text()))
      fact = plan::Binary::kFetching;
    else
      fact = plan::Binary::kMissing;
  }
}

void HostDriver::see_survivor(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const std::string operation = record.recovery    ? record.recovery->operation
                                : record.operation ? record.operation->id
                                                   : "";
  if (operation.empty()) {
    seen.survivor_snapshot = base::Fact<bool>::absent();
    return;
  }
  // The file got its name only after it was checked.
  const RecoveryFiles files = recovery_files(files_, operation);
  seen.survivor_snapshot = posix::exists(files.snapshot);
  if (const auto bound = posix::read_file(files.bound, 4096)) seen.survivor_bound = *bound;
  // One of a running process says nothing of the log's end. It is known by the export, which comes
  // when the survivor has stopped.
  const bool whole = posix::exists(files.exported) == base::Fact<bool>(true) ||
                     posix::exists(files.usable) == base::Fact<bool>(true);
  if (!record.recovery || whole || seen.survivor_snapshot != base::Fact<bool>(true)) return;
  const MemberFiles survivor = files_of(record.recovery->survivor);
  if (is_alive(survivor) != base::Fact<bool>(false)) return;
  // The marker proves that this is its volume, and not one that is mounted late.
  if (posix::exists(survivor.marker) == base::Fact<bool>(true) &&
      has_data(survivor) == base::Fact<bool>(false))
    seen.survivor_bound += "; its log is gone with its volume";
  else
    seen.survivor_snapshot = false;
}

}  // namespace host
