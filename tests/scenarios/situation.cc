#include "situation.h"

#include <algorithm>

#include "plan/quorum.h"

namespace scenario {
namespace {

constexpr int kOffers = 5;

int ordinal_of(const std::string& member) {
  const auto dash = member.rfind('-');
  if (dash == std::string::npos) throw Mistake("\"" + member + "\" is not a member's name");
  return static_cast<int>(integer(member.substr(dash + 1)));
}

plan::Addresses addresses_of(int ordinal) {
  return {peer_url(ordinal), "https://127.0.0.1:" + std::to_string(20001 + 10 * ordinal),
          "http://127.0.0.1:" + std::to_string(20002 + 10 * ordinal)};
}

}  // namespace

std::string peer_url(int ordinal) {
  return "https://127.0.0.1:" + std::to_string(20000 + 10 * ordinal);
}

base::MemberId default_id(int ordinal) {
  return base::MemberId{0xa0 + static_cast<std::uint64_t>(ordinal)};
}

api::Version version_of(const std::string& text) {
  const auto value = api::parse_version(text);
  if (!value) throw Mistake(value.error().message);
  return *value;
}

Situation::Situation() {
  now = base::parse_rfc3339("2026-11-21T12:00:00Z").value();
  record.key.name = intent.cluster.key.name = "c";
  intent.cluster.generation = 1;
  intent.cluster.spec.size = 3;
  intent.cluster.spec.version = version_of("3.5.12");
  intent.template_hash = "t1";
  seen.record_state = plan::RecordState::kNone;
  seen.binaries["3.5.12"] = plan::Binary::kPresent;
  members.cluster_id = base::ClusterId{0xc1};
}

void Situation::forming(int size, const api::Version& version) {
  *this = Situation();
  intent.cluster.spec.size = size;
  intent.cluster.spec.version = version;
  seen.binaries[version.text()] = plan::Binary::kPresent;
  seen.record_state = plan::RecordState::kOk;
  for (const char* act : {"PrepareMember", "StartMember"}) {
    record = ask().record;
    seen.last = plan::LastAct{act, plan::Outcome::kDone, "", now, 0};
  }
  for (const auto& [name, member] : record.members) {
    facts(name) = {};
    facts(name).process = plan::Process::kRunning;
    facts(name).data = plan::Data::kOwn;
    facts(name).ticket = plan::Permit::kBootstrap;
    facts(name).certificate_renew_at = now + std::chrono::hours(5'000);
    facts(name).certificate_expires = now + std::chrono::hours(8'000);
    members.members.push_back(
        {default_id(member.ordinal), name, member.addresses.peer_url, false, false});
  }
  record = ask().record;
}

void Situation::formed(int size, const api::Version& version) {
  *this = Situation();
  intent.cluster.spec.size = record.size = size;
  intent.cluster.spec.version = record.version = version;
  record.template_hash = intent.template_hash;
  record.incarnation = "i1";
  record.token = "c-i1";
  record.formation = plan::Formation::kLatched;
  record.cluster_id = base::ClusterId{0xc1};
  record.next_ordinal = size;
  record.open_to_clients = true;
  record.bootstrap_source = "New";
  record.bootstrapped_at = now - std::chrono::hours(24);
  record.last_quorum_read = now - std::chrono::seconds(1);
  record.highest_minor_seen = version.minor;
  seen.record_state = plan::RecordState::kOk;
  seen.client_certificate_published = true;
  seen.client_certificate_renew_at = now + std::chrono::hours(5000);
  seen.alarms = std::vector<plan::Alarm>{};
  seen.cluster_version = api::Version{version.major, version.minor, 0, ""};
  seen.binaries = {{version.text(), plan::Binary::kPresent}};
  members = plan::Membership{record.cluster_id, {}};
  for (int i = 0; i < size; ++i) up("c-" + std::to_string(i));
  lead("c-0");
}

plan::MemberRecord& Situation::recorded(const std::string& member) {
  if (const auto at = record.members.find(member); at != record.members.end()) return at->second;
  const int ordinal = ordinal_of(member);
  plan::MemberRecord& out = record.members[member];
  out.name = member;
  out.ordinal = ordinal;
  out.addresses = addresses_of(ordinal);
  out.volume = "v" + std::to_string(ordinal);
  out.incarnation = record.incarnation;
  out.id = default_id(ordinal);
  out.phase = plan::Phase::kVoter;
  out.permit = plan::Permit::kData;
  out.may_start = out.ran = true;
  out.version = record.version;
  out.template_hash = record.template_hash;
  out.started_at = now - std::chrono::hours(24);
  record.next_ordinal = std::max(record.next_ordinal, ordinal + 1);
  return out;
}

base::MemberId Situation::id_of(const std::string& member_or_id) const {
  if (const auto at = record.members.find(member_or_id);
      at != record.members.end() && at->second.id)
    return at->second.id;
  if (member_or_id.starts_with("c-")) return default_id(ordinal_of(member_or_id));
  return base::MemberId{hex(member_or_id)};
}

plan::EtcdMember* Situation::listed(const std::string& member_or_id) {
  const base::MemberId id = id_of(member_or_id);
  auto& all = members.members;
  const auto at = std::ranges::find(all, id, &plan::EtcdMember::id);
  return at == all.end() ? nullptr : &*at;
}

plan::EtcdStatus& Situation::status(const std::string& member) {
  auto& fact = seen.statuses[id_of(member)];
  if (!fact.known()) {
    plan::EtcdStatus first;
    first.cluster_id = record.cluster_id ? record.cluster_id : base::ClusterId{0xc1};
    first.raft_term = 2;
    first.raft_index = first.raft_applied = 1'000;
    first.revision = 900;
    first.db_size = 20 << 20;
    first.db_in_use = 15 << 20;
    first.db_quota = 2LL << 30;
    for (const auto& [id, other] : seen.statuses) {
      if (other.known() && other->leader) {
        first.leader = other->leader;
        first.raft_term = other->raft_term;
      }
    }
    fact = first;
  }
  return const_cast<plan::EtcdStatus&>(*fact);
}

void Situation::up(const std::string& member) {
  plan::MemberRecord& r = recorded(member);
  plan::MemberFacts& f = facts(member);
  f.process = plan::Process::kRunning;
  f.data = plan::Data::kOwn;
  f.ended.reset();
  f.ticket = r.permit;
  f.version = r.version.text();
  f.template_hash = r.template_hash;
  f.certificate_renew_at = now + std::chrono::hours(5'000);
  f.certificate_expires = now + std::chrono::hours(8'000);
  plan::EtcdMember* entry = listed(member);
  if (entry == nullptr)
    entry = &members.members.emplace_back(
        plan::EtcdMember{id_of(member), member, r.addresses.peer_url, true, false});
  entry->started = true;
  plan::EtcdStatus& st = status(member);
  st.version = r.version.text();
  st.storage_version = "3." + std::to_string(r.version.minor) + ".0";
  st.learner = entry->learner;
  settle();
}

void Situation::down(const std::string& member) {
  facts(member).process = plan::Process::kStopped;
  facts(member).version.clear();
  facts(member).template_hash.clear();
  const base::MemberId id = id_of(member);
  seen.statuses[id] = base::Fact<plan::EtcdStatus>::unknown("connection refused");
  settle();
}

void Situation::settle() {
  std::size_t voters = 0, alive = 0;
  std::string first;
  bool led = false;
  for (const auto& m : members.members) {
    const auto at = seen.statuses.find(m.id);
    const bool answers = at != seen.statuses.end() && at->second.known();
    led = led || (answers && !m.learner && at->second->leader == m.id);
    if (m.learner) continue;
    voters += 1;
    alive += answers ? 1U : 0U;
    if (answers && first.empty()) first = base::to_text(m.id);
  }
  if (voters > 0 && alive >= plan::quorum_of(voters)) {
    seen.membership = members;
    if (!led) lead(first);
    return;
  }
  seen.membership = base::Fact<plan::Membership>::unknown("request timed out");
  for (auto& [_, fact] : seen.statuses) {
    if (fact.known()) const_cast<plan::EtcdStatus&>(*fact).leader = {};
  }
}

void Situation::lead(const std::string& member) {
  const base::MemberId id = id_of(member);
  std::uint64_t term = 2;
  for (const auto& [_, fact] : seen.statuses) {
    if (fact.known()) term = std::max(term, fact->raft_term + (fact->leader == id ? 0U : 1U));
  }
  for (auto& [_, fact] : seen.statuses) {
    if (!fact.known()) continue;
    auto& st = const_cast<plan::EtcdStatus&>(*fact);
    st.raft_term = term;
    st.leader = id;
  }
}

plan::Plan Situation::ask() {
  seen.addresses.clear();
  seen.fresh_volumes.clear();
  for (int i = 0; offers && i < std::max(kOffers, intent.cluster.spec.size); ++i) {
    const int n = record.next_ordinal + i;
    seen.addresses[n] = addresses_of(n);
    seen.fresh_volumes.push_back("v" + std::to_string(n));
  }
  int nth = record.epoch + 1;
  while (record.incarnation == "i" + std::to_string(nth) ||
         record.old_tokens.contains(record.key.name + "-i" + std::to_string(nth)))
    nth += 1;
  seen.fresh_incarnation = "i" + std::to_string(nth);
  seen.fresh_operation = "op" + std::to_string(++fresh);
  if (seen.membership.known() && !seen.quorum_read.known()) {
    auto copy = seen;
    copy.quorum_read = now;
    return plan::plan(intent, record, copy, now);
  }
  return plan::plan(intent, record, seen, now);
}

}  // namespace scenario
