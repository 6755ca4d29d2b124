#include "adm/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "adm/certificates.h"
#include "adm/checks.h"
#include "base/text.h"
#include "drivers/live/endpoints.h"
#include "plan/quorum.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kStatus{2'000}, kRead{3'000};
constexpr size_t kMemory = size_t{1} << 16;

// Of every member that has started, at the same time.
void ask_statuses(const Cluster& cluster, Sight& sight) {
  struct Ask {
    const etcd::Member* member;
    base::Result<etcd::MemberStatus> answer;
  };
  std::vector<Ask> asks;
  for (const auto& m : sight.list.members)
    asks.push_back({&m, base::fail(Code::kUnavailable, "it has never started")});
  {
    std::vector<std::jthread> threads;
    for (auto& ask : asks) {
      if (ask.member->client_urls.empty()) continue;
      threads.emplace_back([&cluster, &ask] {
        for (const auto& url : ask.member->client_urls) {
          ask.answer = cluster.at(url)->status(kStatus);
          if (ask.answer && ask.answer->id != ask.member->id)
            ask.answer = base::fail(Code::kUnavailable, "another member answers at " + url);
          if (ask.answer) return;
        }
      });
    }
  }
  for (auto& ask : asks) sight.statuses.emplace(ask.member->id, std::move(ask.answer));
}

void judge(Sight& sight, base::Instant now) {
  auto& seen = sight.seen;
  sight.record.cluster_id = sight.list.cluster_id;
  if (sight.quorum) {
    seen.membership = live::to_plan(sight.list);
    seen.quorum_read = now;
  } else {
    seen.membership = base::Fact<plan::Membership>::unknown(sight.problem);
    seen.quorum_read = base::Fact<base::Instant>::unknown(sight.problem);
  }
  for (const auto& [id, status] : sight.statuses)
    seen.statuses[id] = status ? base::Fact<plan::EtcdStatus>(live::to_plan(*status))
                               : base::Fact<plan::EtcdStatus>::unknown(status.error().message);
  sight.view = plan::look(plan::Intent{}, sight.record, seen, now);
}

// One URL a line. A status that may not write here loses nothing but the memory.
void keep(const std::string& file, const std::vector<std::string>& urls) {
  const std::string text = base::join(urls, "\n") + "\n";
  if (const auto old = posix::read_file(file, kMemory); old && *old == text) return;
  (void)posix::write_atomic(file, text);
}

std::vector<std::string> remembered(const std::string& file) {
  std::vector<std::string> out;
  const auto text = posix::read_file(file, kMemory);
  if (!text) return out;
  for (const auto line : base::split(*text, '\n'))
    if (parse_endpoint(line)) out.emplace_back(line);
  return out;
}

std::string sum_of(const plan::View& view) {
  return fmt::format("{} of {} voters are healthy, a quorum is {}", view.healthy_voters,
                     view.voters, plan::quorum_of(view.voters));
}

}  // namespace

const etcd::Member* Sight::by_id(base::MemberId id) const {
  const auto at = std::ranges::find(list.members, id, &etcd::Member::id);
  return at == list.members.end() ? nullptr : &*at;
}

const etcd::Member* Sight::by_peer(const std::string& url) const {
  for (const auto& m : list.members)
    for (const auto& peer : m.peer_urls)
      if (plan::same_peer(peer, url)) return &m;
  return nullptr;
}

base::Result<const etcd::Member*> Sight::find(const std::string& who) const {
  std::vector<const etcd::Member*> found;
  std::vector<std::string> names;
  for (const auto& m : list.members) {
    if (m.name == who || base::to_text(m.id) == who) found.push_back(&m);
    names.push_back(m.name.empty() ? base::to_text(m.id)
                                   : fmt::format("{} ({})", m.name, base::to_text(m.id)));
  }
  if (found.size() == 1) return found.front();
  return base::fail(found.empty() ? Code::kNotFound : Code::kFailedPrecondition,
                    fmt::format("'{}' is {}: there are {}", who,
                                found.empty() ? "no member"
                                              : "the name of several members, give "
                                                "the id",
                                base::join(names, ", ")));
}

base::MemberId Sight::leader() const {
  return view.leader == nullptr ? base::MemberId{} : view.leader->id();
}

std::shared_ptr<etcd::EtcdApi> Cluster::at(const std::string& url) const {
  return etcd::connect(url, tls_);
}

base::Result<std::unique_ptr<Sight>> Cluster::look() const {
  auto sight = std::make_unique<Sight>();
  std::vector<std::string> tried;
  std::string opinion;  // the first member that answers without a quorum
  for (const auto& url : endpoints_) {
    const auto api = at(url);
    auto list = api->member_list(true, kRead);
    if (list) {
      sight->list = std::move(*list);
      sight->quorum = true;
      sight->through = url;
      sight->alarms = api->alarms(kRead);
      break;
    }
    tried.push_back(url + ": " + list.error().message);
    if (!opinion.empty()) continue;
    if (auto own = api->member_list(false, kRead)) {
      sight->list = std::move(*own);
      sight->through = opinion = url;
    }
  }
  if (!sight->quorum) {
    sight->problem = base::join(tried, "; ");
    sight->alarms = base::fail(Code::kUnavailable, "no quorum answers");
    if (opinion.empty())
      return base::fail(Code::kUnavailable, "no member answers: " + sight->problem);
  }
  if (sight->quorum && !memory_.empty()) keep(memory_, client_urls(sight->list));
  ask_statuses(*this, *sight);
  judge(*sight, clock_.now());
  return sight;
}

base::Result<std::shared_ptr<etcd::EtcdApi>> Cluster::voter(const Sight& sight, bool leader,
                                                            base::MemberId but) const {
  const auto lead = sight.leader();
  for (const auto& seat : sight.view.seats) {
    if (!seat.voter || !seat.healthy || seat.id() == but) continue;
    if (leader && seat.id() != lead) continue;
    if (const auto* m = sight.by_id(seat.id()); m != nullptr && !m->client_urls.empty())
      return at(m->client_urls.front());
  }
  return base::fail(Code::kUnavailable,
                    leader ? "the cluster has no leader that answers" : "no healthy voter answers");
}

std::vector<std::string> client_urls(const etcd::MemberList& list) {
  std::vector<std::string> out;
  for (const auto& m : list.members)
    if (!m.client_urls.empty()) out.push_back(m.client_urls.front());
  std::ranges::sort(out);
  return out;
}

base::Result<Cluster> cluster_of(const Context& context, const Host& host) {
  std::vector<std::string> urls;
  if (!context.flags.endpoints.empty()) {
    for (const auto part : base::split(context.flags.endpoints, ',')) {
      TRY_IN("--endpoints", const auto at, parse_endpoint(base::trim(part)));
      urls.push_back(url_of(at.host, at.port));
    }
  } else {
    if (host.stage != Stage::kNone) urls.push_back(host.client_url());
    for (const auto& known : {remembered(context.places().endpoints()), host.endpoints})
      for (const auto& url : known)
        if (std::ranges::find(urls, url) == urls.end()) urls.push_back(url);
  }
  if (urls.empty())
    return base::fail(Code::kNotFound,
                      "this host is in no cluster: begin with `etcdadm init` or `etcdadm join "
                      "URL`, or say --endpoints");
  TRY(auto tls, client_tls(host.certs_dir));
  return Cluster(std::move(urls), std::move(tls), context.clock,
                 host.stage == Stage::kNone ? "" : context.places().endpoints());
}

std::string why_not_remove(const Sight& sight, base::MemberId id) {
  if (!sight.quorum) return "no quorum answers: " + sight.problem;
  const plan::Seat* seat = sight.view.by_id(id);
  if (seat == nullptr) return base::to_text(id) + " is no member";
  if (sight.view.may_remove(*seat)) return {};
  if (seat->voter && sight.view.voters == 1) return "it is the last voter";
  return fmt::format("{}; without {} those left would be no quorum of what remains",
                     sum_of(sight.view), seat->name());
}

std::string why_not_promote(const Sight& sight, base::MemberId id) {
  if (!sight.quorum) return "no quorum answers: " + sight.problem;
  const plan::Seat* seat = sight.view.by_id(id);
  if (seat == nullptr) return base::to_text(id) + " is no member";
  if (seat->voter) return seat->name() + " votes already";
  if (sight.view.may_promote(*seat)) return {};
  return seat->healthy ? sum_of(sight.view)
                       : seat->name() + " does not answer, or follows no leader";
}

std::string why_not_add(const Sight& sight) {
  if (!sight.quorum) return "no quorum answers: " + sight.problem;
  if (sight.view.may_add()) return {};
  return sum_of(sight.view) + "; etcd takes no new member before the others are back";
}

}  // namespace adm
