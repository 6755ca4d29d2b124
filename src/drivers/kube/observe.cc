// A look at one cluster: what the stores hold of its members, then what etcd answers.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "drivers/jobs/jobs.h"
#include "drivers/kube/driver.h"
#include "drivers/live/endpoints.h"
#include "pki/random.h"

namespace k8s {
namespace {

// A set makes its pod within milliseconds, if it can.
constexpr base::Duration kPatience{3'000};
constexpr size_t kVolumeName = 16;  // bytes

bool holds_claim(const json::Value& volume, const kube::Name& claim) {
  return text_at(volume, "spec.claimRef.namespace") == claim.ns &&
         text_at(volume, "spec.claimRef.name") == claim.name;
}

// The volume that holds, or held, this claim.
Found volume_of(const Stores& stores, const kube::Name& claim) {
  if (!stores.sees_volumes) return Found::unknown("volumes cannot be read");
  const bool complete = stores.volumes.complete();
  for (const auto& volume : stores.volumes.all())
    if (holds_claim(*volume, claim)) return volume;
  return complete ? Found::absent() : Found::unknown("volumes were not listed yet");
}

// The same in the server's own words.
Found volume_now(const Shared& shared, const kube::Name& claim, const std::stop_token& stop) {
  const auto all = shared.parts.client.list_all(kube::kVolumes, "", {}, shared.options.call, stop);
  const auto* items = all && all->find("items") ? all->find("items")->if_array() : nullptr;
  if (items == nullptr) return Found::unknown(all ? "no list of volumes" : all.error().message);
  for (const auto& volume : *items)
    if (holds_claim(volume, claim)) return std::make_shared<const json::Value>(volume);
  return Found::absent();
}

// As far as is watched, its data may be gone for good.
bool looks_lost(const Sight& sight, const plan::MemberRecord& member) {
  if (!sight.has_claims || !member.ran) return false;
  if (sight.claim.is_absent()) return true;
  return sight.claim.known() && sight.volume.is_absent() &&
         text_at(**sight.claim, "status.phase") == "Lost";
}

std::string host_of(const std::string& url) {
  const auto place = live::host_port(url);
  return place.substr(0, place.rfind(':'));
}

// The same port at another host.
std::string at_host(const std::string& url, const std::string& host) {
  const auto place = live::host_port(url);
  return url.substr(0, url.find("://") + 3) + host + place.substr(place.rfind(':'));
}

// Names of members that were given up: no ordinal is used twice.
std::set<std::string> left_names(const plan::Record& record) {
  std::set<std::string> out;
  for (int n = 0; n < record.next_ordinal; ++n)
    if (const auto member = fmt::format("{}-{}", record.key.name, n);
        !record.members.contains(member))
      out.insert({member, api::claim_of_member(member)});
  return out;
}

}  // namespace

plan::Observation KubeDriver::observe(const engine::Job& job, bool want_hashes,
                                      const std::stop_token& stop) {
  stop_ = stop;
  remember(job);
  plan::Observation seen;
  const Call call{job, stop};
  see_members(call, seen);
  see_certificates(call, seen);
  store_jobs_.see({job, stop}, seen);
  see_offers(job, seen);  // names what follows all of that
  seen.stray_data = stray_data(job);
  seen.stray_processes = stray_processes(job);
  // Images are fetched by nodes; one that cannot be had shows in its pod.
  for (const auto* version : {&job.intent.cluster.spec.version, &job.record.version})
    if (*version != api::Version{}) seen.binaries[version->text()] = plan::Binary::kPresent;
  for (const auto& [name, member] : job.record.members)
    if (member.version != api::Version{})
      seen.binaries[member.version.text()] = plan::Binary::kPresent;
  seen.survivor_snapshot = base::Fact<bool>::absent();
  seen.foreign_objects = objects_.foreign_still(left_names(job.record), stop);
  seen.ephemeral_storage = render::is_ephemeral(job.intent.cluster.spec, shared_.options.objects);
  if (const auto ready = etcd_.dial(job.intent.cluster.spec.tls); !ready) {
    seen.membership = base::Fact<plan::Membership>::unknown(ready.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(ready.error().message);
    return seen;
  }
  const plan::Record by_ip = dialled(job.record);
  const engine::Job dialled_job{job.intent, by_ip, job.deadline};
  etcd_.observe({dialled_job, stop}, want_hashes, seen);
  return seen;
}

Sight KubeDriver::look_at(const plan::MemberRecord& member, const api::Cluster& cluster) const {
  const auto& stores = shared_.stores;
  const auto claim = name(api::claim_of_member(member.name));
  Sight sight;
  sight.set = find(stores.sets, name(member.name));
  sight.pod = find(stores.pods, name(api::pod_of_member(member.name)));
  sight.has_claims = render::has_claims(cluster.spec, shared_.options.objects);
  sight.claim = sight.has_claims ? find(stores.claims, claim) : Found::absent();
  sight.volume = sight.has_claims ? volume_of(stores, claim) : Found::absent();
  sight.node = Found::unknown("nodes cannot be read");
  if (sight.pod.known() && stores.sees_volumes)
    if (const auto node = text_at(**sight.pod, "spec.nodeName"); !node.empty())
      sight.node = find(stores.nodes, {"", node});
  return sight;
}

// A watch may be far behind and not know it, and what it has not seen yet looks like a loss. What
// would prove one (S5) is asked of the server itself, until it has said so once.
void KubeDriver::confirm_loss(const plan::MemberRecord& member, const Call& call, Sight& sight) {
  const auto known = gone_.find(member.name);
  if (!looks_lost(sight, member) || (known != gone_.end() && known->second == member.volume))
    return;
  const auto claim = api::claim_of_member(member.name);
  const auto now = objects_.read(kube::kClaims, claim, call.stop);
  if (!now) {
    sight.claim = Found::unknown(now.error().message);
  } else if (sight.claim.is_absent() && *now) {
    const std::string late = "its claim is there, but what is watched does not show it yet";
    sight.claim = Found::unknown(late);
    for (auto* other : {&sight.set, &sight.pod})
      if (other->is_absent()) *other = Found::unknown(late);
  } else if (sight.volume.is_absent()) {
    sight.volume = volume_now(shared_, name(claim), call.stop);
    if (sight.volume.is_absent()) gone_[member.name] = member.volume;
  }
}

// A quota or an admission rule refuses the pod to its set, which only says so in an event.
std::string KubeDriver::refusal_of(const plan::MemberRecord& member, const Sight& sight,
                                   const Call& call) {
  const bool waits = sight.pod.is_absent() && sight.set.known() && !is_going(**sight.set) &&
                     json::get_int(**sight.set, "spec.replicas").value_or(1) > 0;
  if (!waits) {
    podless_.erase(member.name);
    return {};
  }
  const auto now = shared_.parts.clock.tick();
  const auto since = podless_.emplace(member.name, now).first->second;
  if (now - since < kPatience) return {};
  const auto fields =
      fmt::format("regarding.kind=StatefulSet,regarding.name={},reason=FailedCreate", member.name);
  const auto events = objects_.send(
      kube::list(kube::kEvents, key_.ns, {.selection = {.fields = fields}, .limit = 50}),
      call.stop);
  const auto* items = events && events->find("items") ? events->find("items")->if_array() : nullptr;
  std::string newest, words;
  if (items != nullptr)
    for (const auto& event : *items) {
      auto at = text_at(event, "series.lastObservedTime");
      if (at.empty()) at = text_at(event, "deprecatedLastTimestamp");
      if (at.empty()) at = text_at(event, "eventTime");
      if (at < newest) continue;
      newest = std::move(at);
      words = text_at(event, "note");
    }
  return words.empty() ? "Kubernetes has not made its pod" : words;
}

void KubeDriver::see_members(const Call& call, plan::Observation& seen) {
  const auto dates = call.job.record.members.empty() ? base::Fact<LeafDates>::absent()
                                                     : certificates_.member_dates(scope(call));
  for (const auto& [member_name, member] : call.job.record.members) {
    auto sight = look_at(member, call.job.intent.cluster);
    confirm_loss(member, call, sight);
    sight.refusal = refusal_of(member, sight, call);
    auto facts = judge(sight, member);
    if (dates.known()) {
      facts.certificate_renew_at = dates->renew_at;
      facts.certificate_expires = dates->expires;
    } else if (dates.is_absent()) {
      facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::absent();
    } else {
      facts.certificate_renew_at = facts.certificate_expires =
          base::Fact<base::Instant>::unknown(dates.why());
    }
    seen.members.emplace(member_name, std::move(facts));
  }
}

void KubeDriver::see_certificates(const Call& call, plan::Observation& seen) {
  seen.user_certificates_problem = certificates_.user_problem(scope(call));
  if (call.job.record.members.empty()) {
    seen.client_certificate_renew_at = base::Fact<base::Instant>::absent();
    seen.authority_renew_at = base::Fact<base::Instant>::absent();
  } else {
    const auto client = certificates_.client_dates(scope(call));
    if (client.known())
      seen.client_certificate_renew_at = client->renew_at;
    else if (client.is_absent())
      seen.client_certificate_renew_at = base::Fact<base::Instant>::absent();
    else
      seen.client_certificate_renew_at = base::Fact<base::Instant>::unknown(client.why());
    seen.authority_renew_at = certificates_.authority_renew_at(scope(call));
  }
  // The clients' Service comes last of all that opens a cluster.
  const auto service = shared_.stores.services.find(name(names_.client_service()));
  seen.client_certificate_published = service != nullptr && !is_going(*service);
}

void KubeDriver::see_offers(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const int have = static_cast<int>(std::ranges::count_if(record.members, [](const auto& m) {
    return m.second.phase != plan::Phase::kRetired && m.second.phase != plan::Phase::kSurvivor;
  }));
  const int more = std::max(1, job.intent.cluster.spec.size - have + 1);
  api::Cluster cluster = job.intent.cluster;
  cluster.key = key_;
  int ordinal = record.next_ordinal;
  for (int found = 0; found < more; ++ordinal) {
    // Ordinals are never used twice, also not one that a lost record knew of.
    render::KubernetesMember member;
    member.name = fmt::format("{}-{}", key_.name, ordinal);
    if (shared_.stores.sets.find(name(member.name)) != nullptr ||
        shared_.stores.claims.find(name(api::claim_of_member(member.name))) != nullptr)
      continue;
    member.tls = cluster.spec.tls.mode;
    const auto urls = render::kubernetes_addresses(cluster, member, shared_.options.objects);
    const auto client = urls.advertise_client.substr(0, urls.advertise_client.find(','));
    const auto host = host_of(urls.advertise_peer);
    seen.addresses[ordinal] = {urls.advertise_peer, client, at_host(urls.metrics, host)};
    ++found;
  }
  seen.fresh_incarnation =
      jobs::fresh_incarnation(record, seen, shared_.parts.clock.now(), shared_.parts.random.next());
  seen.fresh_operation = base::to_hex(shared_.parts.random.next() & 0xffffffffffULL);
  for (int i = 0; i < more; ++i)
    if (auto fresh = pki::random_hex(kVolumeName)) seen.fresh_volumes.push_back(*std::move(fresh));
}

KubeDriver::Names KubeDriver::stray_data(const engine::Job& job) const {
  if (!shared_.stores.claims.complete()) return Names::unknown("volume claims were not listed yet");
  std::vector<std::string> stray;
  for (const auto& claim : shared_.stores.claims.group(key_.ns, key_.name)) {
    const auto member = label(*claim, render::kMemberLabel);
    if (job.record.members.contains(member)) continue;
    // One that was never latched holds nothing that was promised; one that was removed cannot vote.
    if (label(*claim, render::kVolumeStateLabel) != name_of(render::VolumeState::kMember)) continue;
    stray.push_back(
        fmt::format("{} of incarnation {}", member, label(*claim, render::kIncarnationLabel)));
  }
  return stray;
}

KubeDriver::Names KubeDriver::stray_processes(const engine::Job& job) const {
  if (!shared_.stores.pods.complete()) return Names::unknown("pods were not listed yet");
  std::vector<std::string> running;
  for (const auto& pod : shared_.stores.pods.group(key_.ns, key_.name))
    if (const auto member = label(*pod, render::kMemberLabel);
        !member.empty() && !job.record.members.contains(member))
      running.push_back(member);
  return running;
}

plan::Record KubeDriver::dialled(const plan::Record& record) const {
  plan::Record out = record;
  for (auto& [member_name, member] : out.members) {
    const auto pod = shared_.stores.pods.find(name(api::pod_of_member(member_name)));
    const auto ip = pod == nullptr ? std::string() : text_at(*pod, "status.podIP");
    if (ip.empty() || member.addresses.client_url.empty()) continue;
    const auto host = host_of(member.addresses.client_url);
    const auto place = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
    member.addresses.client_url = at_host(member.addresses.client_url, place) + "/" + host;
    member.addresses.metrics_url = at_host(member.addresses.metrics_url, place);
  }
  return out;
}

}  // namespace k8s
