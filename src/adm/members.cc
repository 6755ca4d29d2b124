// member add|remove|promote|move-leader: changes of the membership from any live host.
#include <fmt/format.h>

#include "adm/checks.h"
#include "adm/cluster.h"
#include "adm/commands.h"
#include "adm/retry.h"
#include "base/text.h"
#include "json/json.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kChange{10'000}, kPatience{20'000};
constexpr size_t kLimit = size_t{1} << 16;

struct Scene {
  Host host;
  Cluster cluster;
  std::unique_ptr<Sight> sight;
};

base::Result<Scene> set_scene(const Context& context) {
  TRY(auto host, load_host(context.places()));
  TRY(auto at, cluster_of(context, host));
  TRY(auto sight, at.look());
  return Scene{std::move(host), std::move(at), std::move(sight)};
}

std::string called(const etcd::Member& m) {
  return m.name.empty() ? "the member that never started, " + base::to_text(m.id)
                        : fmt::format("{} ({})", m.name, base::to_text(m.id));
}

Answer said(std::string text, const etcd::Member& m) {
  Answer out;
  out.value["member"] = m.name;
  out.value["id"] = base::to_text(m.id);
  out.value["result"] = text;
  out.text = std::move(text) + "\n";
  return out;
}

// Tries again what etcd refuses for the moment: it does so for seconds after any start.
template <class Call>
auto patiently(const Context& context, const Call& call) {
  auto change = call();
  (void)until_done(context, kPatience, "", [&]() -> base::Result<std::string> {
    const bool later = !change && change.error().outcome == etcd::Outcome::kRefused &&
                       change.error().error.code == Code::kUnavailable;
    if (!later) return std::string();
    std::string why = change.error().error.message;
    change = call();
    return why;
  });
  return change;
}

// What the call left open, the list tells.
template <class Change, class Done>
base::Status settle(const Scene& scene, const Change& change, const Done& done) {
  if (change) return {};
  if (change.error().outcome == etcd::Outcome::kRefused)
    return std::unexpected(change.error().error);
  TRY(const auto again, scene.cluster.look());
  if (again->quorum && done(*again)) return {};
  return base::fail(Code::kDeadlineExceeded,
                    change.error().error.message +
                        "; it may still happen: look with `etcdadm status` before repeating it");
}

// Of a `member replace` between its two changes: who was taken out of which cluster, and for whom.
struct Replacement {
  std::string subject, name, peer_url, cluster;
};

std::string replacement_file(const Context& context) {
  return context.places().state_dir + "/replacement.json";
}

base::Status note(const std::string& file, const Replacement& r) {
  const json::Value value = json::Object{
      {"subject", r.subject}, {"name", r.name}, {"peerURL", r.peer_url}, {"cluster", r.cluster}};
  return posix::write_atomic(file, json::print(value, json::Style::kPretty) + "\n");
}

base::Result<Replacement> noted(const std::string& file) {
  Replacement out;
  const auto text = posix::read_file(file, kLimit);
  if (!text && text.error().code == Code::kNotFound) return out;
  if (!text) return std::unexpected(text.error());
  TRY_IN(file, const auto value, json::parse(*text));
  TRY_IN(file, out.subject, json::get_string(value, "subject"));
  TRY_IN(file, out.name, json::get_string(value, "name"));
  TRY_IN(file, out.peer_url, json::get_string(value, "peerURL"));
  TRY_IN(file, out.cluster, json::get_string(value, "cluster"));
  return out;
}

// That the list lacks who is to be replaced may be a slip of the pen: then nobody is put in.
base::Status check_removed(const Context& context, const Scene& scene, const Replacement& before,
                           const base::Error& why) {
  const auto& f = context.flags;
  if (why.code != Code::kNotFound || f.peer_url.empty()) return std::unexpected(why);
  if (before.subject == f.subject && before.peer_url == f.peer_url &&
      before.cluster == base::to_text(scene.sight->list.cluster_id))
    return {};
  // Put in and not started yet: nothing is left to be done.
  if (const auto* in = scene.sight->by_peer(f.peer_url); in != nullptr && in->client_urls.empty())
    return {};
  return base::fail(why.code, fmt::format("{}. If it was removed already: `etcdadm member add {}`",
                                          why.message, f.peer_url));
}

}  // namespace

Reply member_add(const Context& context) {
  TRY(const auto at, parse_endpoint(context.flags.subject));
  const std::string url = url_of(at.host, at.port);
  TRY(const auto scene, set_scene(context));
  if (const auto* there = scene.sight->by_peer(url))
    return said(fmt::format("{} is in the list already: {}", url, called(*there)), *there);
  if (auto why = why_not_add(*scene.sight); !why.empty())
    return base::fail(Code::kFailedPrecondition, why);
  Answer out;
  if (context.flags.dry_run) {
    out.text = fmt::format("etcdadm member add would add {} as a learner\n", url);
    return out;
  }
  TRY(const auto api, scene.cluster.voter(*scene.sight, true));
  const auto added = patiently(context, [&] { return api->member_add(url, true, kChange); });
  TRY_OK(settle(scene, added, [&](const Sight& s) { return s.by_peer(url) != nullptr; }));
  out.text = fmt::format(
      "{0} is in the list as a learner that has not started. On that host `etcdadm join {1}` "
      "goes on with it, with --bind-address {2}\n",
      url, scene.host.peer_url(), at.host);
  out.value["peerURL"] = url;
  out.value["result"] = "added as a learner";
  if (added) out.value["id"] = base::to_text(added->id);
  return out;
}

Reply member_remove(const Context& context) {
  TRY(const auto scene, set_scene(context));
  TRY(const auto* member, scene.sight->find(context.flags.subject));
  const etcd::Member m = *member;
  if (auto why = why_not_remove(*scene.sight, m.id); !why.empty())
    return base::fail(Code::kFailedPrecondition, why);
  const plan::Seat* seat = scene.sight->view.by_id(m.id);
  const bool leads = scene.sight->leader() == m.id;
  const plan::Seat* heir = leads ? scene.sight->view.heir(*seat) : nullptr;
  if (context.flags.dry_run)
    return said(
        fmt::format("etcdadm member remove would {}remove {} from the list",
                    heir == nullptr ? "" : "let " + heir->name() + " lead, then ", called(m)),
        m);
  if (!context.flags.yes && seat->healthy &&
      !context.ask(
          fmt::format("{} is alive. Its data will never be used again. Remove it?", called(m))))
    return base::fail(Code::kFailedPrecondition,
                      called(m) +
                          " is alive: say --yes, or answer yes; `etcdadm reset` on that "
                          "host does this and cleans up there");
  if (heir != nullptr) {
    TRY(const auto leader, scene.cluster.voter(*scene.sight, true));
    const auto moved = leader->move_leader(heir->id(), kChange);
    if (!moved) return std::unexpected(moved.error().error.in("move the leadership first"));
  }
  TRY(const auto api, scene.cluster.voter(*scene.sight, false, m.id));
  const auto removed = patiently(context, [&] { return api->member_remove(m.id, kChange); });
  TRY_OK(settle(scene, removed, [&](const Sight& s) { return s.by_id(m.id) == nullptr; }));
  return said(called(m) + " is removed", m);
}

Reply member_replace(const Context& context) {
  const std::string& url = context.flags.peer_url;
  if (!url.empty()) TRY_OK(parse_endpoint(url));
  TRY(const auto scene, set_scene(context));
  const auto found = scene.sight->find(context.flags.subject);
  std::string text;
  Answer out;
  TRY(const auto before, noted(replacement_file(context)));
  if (!found) TRY_OK(check_removed(context, scene, before, found.error()));
  const std::string name = found                                     ? (*found)->name
                           : before.subject == context.flags.subject ? before.name
                                                                     : std::string();
  if (found) {
    const etcd::Member lost = **found;
    if (const auto* seat = scene.sight->view.by_id(lost.id);
        seat != nullptr && seat->healthy && !context.flags.force)
      return base::fail(Code::kFailedPrecondition,
                        called(lost) +
                            " is alive, so nothing is to be replaced: `etcdadm reset` on "
                            "that host takes it out, --force replaces it all the same");
    if (!url.empty() && !context.flags.dry_run)
      TRY_OK(note(replacement_file(context),
                  {context.flags.subject, name, url, base::to_text(scene.sight->list.cluster_id)}));
    TRY(const auto removed, member_remove(context));
    text = removed.text;
    out.value["removed"] = base::to_text(lost.id);
  }
  if (!url.empty() && context.flags.dry_run) {
    // What the list is like by then is not known now.
    text += fmt::format("then it would add {} as a learner\n", url);
  } else if (!url.empty()) {
    if (context.fault) context.fault("add.before");
    Context add = context;
    add.flags.subject = url;
    TRY(const auto added, member_add(add));
    text += added.text;
    out.value["added"] = url;
    TRY_OK(posix::remove_file(replacement_file(context)));
  }
  const std::string join = fmt::format("etcdadm join {}{}", scene.host.peer_url(),
                                       name.empty() ? "" : " --name " + name);
  out.value["join"] = join;
  out.text = text + fmt::format(
                        "On the new host, with ca.crt and ca.key in its certificates folder:\n\n"
                        "  {}\n",
                        join);
  return out;
}

Reply member_promote(const Context& context) {
  TRY(const auto scene, set_scene(context));
  TRY(const auto* member, scene.sight->find(context.flags.subject));
  const etcd::Member m = *member;
  if (!m.learner) return said(called(m) + " votes already", m);
  if (auto why = why_not_promote(*scene.sight, m.id); !why.empty())
    return base::fail(Code::kFailedPrecondition, why);
  if (context.flags.dry_run)
    return said("etcdadm member promote would let " + called(m) + " vote", m);
  TRY(const auto api, scene.cluster.voter(*scene.sight, true));
  const auto promoted = patiently(context, [&] { return api->member_promote(m.id, kChange); });
  TRY_OK(settle(scene, promoted, [&](const Sight& s) {
    const auto* now = s.by_id(m.id);
    return now != nullptr && !now->learner;
  }));
  return said(called(m) + " votes", m);
}

Reply move_leader(const Context& context) {
  TRY(const auto scene, set_scene(context));
  const plan::Seat* leader = scene.sight->view.leader;
  if (leader == nullptr || !scene.sight->quorum)
    return base::fail(Code::kUnavailable, "the cluster has no leader that answers");
  const plan::Seat* to = scene.sight->view.heir(*leader);
  if (!context.flags.subject.empty()) {
    TRY(const auto* member, scene.sight->find(context.flags.subject));
    to = scene.sight->view.by_id(member->id);
    if (to == leader) return said(called(*member) + " leads already", *member);
    if (to != nullptr && (!to->voter || !to->healthy))
      return base::fail(Code::kFailedPrecondition,
                        called(*member) + " is no healthy voter, so it cannot lead");
  }
  if (to == nullptr)
    return base::fail(Code::kFailedPrecondition, "there is no other healthy voter to lead");
  const etcd::Member m = *scene.sight->by_id(to->id());
  if (context.flags.dry_run)
    return said("etcdadm member move-leader would let " + called(m) + " lead", m);
  TRY(const auto api, scene.cluster.voter(*scene.sight, true));
  const auto moved = api->move_leader(m.id, kChange);
  TRY_OK(settle(scene, moved, [&](const Sight& s) { return s.leader() == m.id; }));
  return said(called(m) + " leads", m);
}

}  // namespace adm
