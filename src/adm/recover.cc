// member recover: most of the members are lost for good, and this host still has its data. A
// cluster of one member begins with all that its log holds, under a new token, so that none of the
// old members can ever talk to it; the others join it anew.
#include <fmt/format.h>

#include <algorithm>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "base/text.h"
#include "drivers/host/export.h"
#include "drivers/host/members.h"
#include "etcd/bolt/verify.h"
#include "json/json.h"
#include "plan/quorum.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/socket.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kLimit = size_t{1} << 16;
constexpr base::Duration kDial{3'000};

// Chosen once; kept after the end, so that a run that was killed at its very end knows that it was.
struct Choice {
  base::ClusterId old_cluster;
  std::string kept;   // where the old data is moved to
  std::string bound;  // what was said of the possible loss
};

struct Facts {
  std::vector<std::string> alive;  // other members of which something answers
  std::vector<std::string> lost;
  std::size_t voters = 0;
  std::string bound, since;
  bool quorum = false;  // then nothing else is looked at
};

std::string choice_file(const Context& context) {
  return context.places().recovery() + "/choice.json";
}
std::string snapshot_file(const Context& context) {
  return context.places().recovery() + "/survivor.db";
}

base::Result<std::optional<Choice>> read_choice(const Context& context) {
  const std::string file = choice_file(context);
  const auto text = posix::read_file(file, kLimit);
  if (!text && text.error().code == Code::kNotFound) return std::optional<Choice>();
  if (!text) return std::unexpected(text.error());
  Choice out;
  TRY_IN(file, const auto value, json::parse(*text));
  TRY_IN(file, const auto id, json::get_string(value, "oldCluster"));
  out.old_cluster.value = base::parse_hex(id).value_or(0);
  TRY_IN(file, out.kept, json::get_string(value, "kept"));
  TRY_IN(file, out.bound, json::get_string(value, "bound"));
  return std::optional(std::move(out));
}

base::Status write_choice(const Context& context, const Choice& choice) {
  TRY_OK(posix::make_dirs(context.places().recovery()));
  const json::Value value = json::Object{{"oldCluster", base::to_text(choice.old_cluster)},
                                         {"kept", choice.kept},
                                         {"bound", choice.bound}};
  return posix::write_atomic(choice_file(context), json::print(value, json::Style::kPretty) + "\n");
}

// A member that was started again without a quorum opens its peer port only.
bool listens(const std::string& url, const std::stop_token& stop) {
  const auto at = parse_endpoint(url);
  return at && posix::Stream::dial(at->host, at->port, kDial, stop).has_value();
}

// The last change of a file of the log: until then this member surely heard of the others.
std::string last_written(const host::MemberFiles& files) {
  base::Instant newest{};
  const std::string wal = files.data + "/member/wal";
  if (const auto names = posix::list_dir(wal))
    for (const auto& name : *names)
      if (const auto info = posix::file_info(wal + "/" + name); info && name.ends_with(".wal"))
        newest = std::max(newest, info->modified);
  return newest == base::Instant{} ? "an unknown time" : base::to_rfc3339(newest);
}

std::string marker_bound(const host::MemberFiles& files) {
  const auto bytes = posix::read_file(files.marker, kLimit);
  const auto marker = bytes ? guard::decode_marker(*bytes)
                            : base::Result<guard::Marker>(std::unexpected(bytes.error()));
  if (!marker) return "raft index unknown";
  return fmt::format("raft index {} of term {} at least", marker->last_index, marker->last_term);
}

void look_at_others(const Sight& sight, const Host& host, const std::stop_token& stop, Facts& out) {
  for (const auto& m : sight.list.members) {
    if (!m.learner) ++out.voters;
    if (m.id == host.member_id) continue;
    const std::string who = m.name.empty() ? base::to_text(m.id) : m.name;
    const bool answers =
        sight.statuses.at(m.id).has_value() ||
        std::ranges::any_of(m.peer_urls, [&](const auto& url) { return listens(url, stop); });
    (answers ? out.alive : out.lost).push_back(who);
  }
}

// When this host's own etcd was started again it does not answer either: the others are where they
// were last seen, and listen at least at their peer port if they run.
void look_without_list(const Cluster& at, const Host& host, const std::stop_token& stop,
                       Facts& out) {
  out.voters = at.endpoints().size();
  for (const auto& url : at.endpoints()) {
    const auto where = parse_endpoint(url);
    if (!where || url == host.client_url()) continue;
    const bool runs = listens(url, stop) || listens(url_of(where->host, host.peer_port), stop);
    (runs ? out.alive : out.lost).push_back(url);
  }
}

base::Result<Facts> look(const Context& context, const Host& host) {
  Facts out;
  const auto files = context.places().member_files();
  out.since = last_written(files);
  out.bound = marker_bound(files);
  TRY(const auto at, cluster_of(context, host));
  const auto sight = at.look();
  out.quorum = sight && (*sight)->quorum;
  if (out.quorum) return out;
  if (!sight) {
    look_without_list(at, host, context.stop, out);
    return out;
  }
  look_at_others(**sight, host, context.stop, out);
  if (const auto own = (*sight)->statuses.find(host.member_id);
      own != (*sight)->statuses.end() && own->second)
    out.bound = fmt::format("revision {}, raft index {} of term {} at least", own->second->revision,
                            own->second->raft_applied, own->second->raft_term);
  std::ranges::sort(out.lost);
  return out;
}

// Empty: this host may go on alone.
std::string why_not(const Facts& facts) {
  if (facts.quorum)
    return "a quorum answers, so nothing is to be recovered: `etcdadm member replace MEMBER` puts "
           "another host in the place of a lost one";
  if (facts.alive.empty()) return {};
  return fmt::format(
      "{} still runs: two clusters of one name must never both take writes. If it has its data, "
      "start the rest of a quorum; else stop it there for good (`etcdadm reset "
      "--skip-remove-member`) and repeat this",
      base::join(facts.alive, ", "));
}

std::string told(const Host& host, const Facts& facts) {
  return fmt::format(
      "{} of {} members are not seen: {}.\n"
      "This host has {}; its log was last written at {}.\n"
      "LOST, if there was any: what the others acknowledged without {} since then. How much that "
      "is "
      "is unknown.\n"
      "Two of the old members together would still be the old cluster and take writes: none of "
      "them "
      "may ever be started with its old data.",
      facts.lost.size(), std::max(facts.voters, facts.lost.size() + 1),
      base::join(facts.lost, ", "), facts.bound, facts.since, host.name);
}

struct Recovery {
  const Context& context;
  Host host;
  std::optional<Choice> choice;

  [[nodiscard]] bool is_new() const { return choice && host.cluster_id != choice->old_cluster; }

  // Also of a run that goes on: the others may have come back since it was killed.
  base::Status choose() {
    if (is_new()) return {};
    TRY(const auto facts, look(context, host));
    if (const auto why = why_not(facts); !why.empty()) return choice ? give_up(why) : refuse(why);
    if (choice) return {};
    const auto words = told(host, facts);
    context.say(words);
    if (!context.flags.yes &&
        !context.ask("Begin a cluster of one member with what this host has?"))
      return refuse("not confirmed: say --yes, or answer yes.\n" + words);
    Choice chosen{host.cluster_id, aside_name(host.data_dir, "survivor", context.clock.now()),
                  facts.bound + ", written until " + facts.since};
    TRY_OK(write_choice(context, chosen));
    choice = std::move(chosen);
    return {};
  }

  static base::Status refuse(const std::string& why) {
    return base::fail(Code::kFailedPrecondition, why);
  }

  // As long as the data is where it was, this host is again what it was before.
  base::Status give_up(const std::string& why) {
    if (posix::exists(choice->kept) != base::Fact<bool>(false))
      return refuse(fmt::format(
          "{}. The recovery that was begun here had moved this host's data to {}; where a quorum "
          "answers, `etcdadm reset --keep-config` here and then `etcdadm join URL` make it a "
          "member again",
          why, choice->kept));
    TRY_OK(posix::remove_tree(context.places().recovery()));
    TRY_OK(forget_journal(context.places()));
    choice.reset();
    const auto started = start_member(context, host);
    return refuse(why + ". The recovery that was begun here is given up, and this host's etcd " +
                  (started ? "is started again" : "does not start: " + started.error().message));
  }

  base::Status stop() {
    if (is_new()) return {};
    return retire_member(context, host);
  }

  base::Status export_log() {
    if (is_new()) return {};
    TRY_OK(posix::make_dirs(context.places().recovery()));
    // It may have run since an earlier run made one.
    if (posix::exists(choice->kept) == base::Fact<bool>(false))
      TRY_OK(posix::remove_file(snapshot_file(context)));
    const auto log = posix::make_logger({}, context.clock, [](const auto&) {});
    const std::string data =
        posix::exists(choice->kept) == base::Fact<bool>(true) ? choice->kept : host.data_dir;
    TRY(const auto holds,
        host::export_data({data + "/data", context.places().recovery() + "/copy",
                           snapshot_file(context), host.install_dir + "/etcd", host.name},
                          etcd::connect, *log, context.stop));
    context.say("the snapshot of this host's data holds " + holds);
    TRY(const auto source, bolt::FileSource::open(snapshot_file(context)));
    if (const auto good = bolt::verify(source, {.trailer_required = true}); !good)
      return std::unexpected(good.error().in(snapshot_file(context)));
    return {};
  }

  base::Status keep_data() {
    const bool inside = choice->kept.starts_with(host.data_dir + "/");
    if (is_new() || (!inside && posix::exists(choice->kept) == base::Fact<bool>(true))) return {};
    TRY_OK(move_folder(host.data_dir, choice->kept));
    context.say(fmt::format("the data that this host had is kept in {}", choice->kept));
    return {};
  }

  base::Status found() {
    if (is_new()) return {};
    // The ticket, the state and the verdict are of the old member.
    TRY_OK(posix::remove_tree(context.places().member()));
    host = bare(host);
    return begin_from_snapshot(context, host, snapshot_file(context), false);
  }

  base::Status configure() {
    TRY_OK(posix::remove_file(context.places().endpoints()));  // of the old members
    return write_member(context, host);
  }

  base::Status serve() {
    TRY_OK(wait_serving(context, host));
    TRY_OK(latch(context, host));
    return posix::remove_file(snapshot_file(context));
  }
};

std::vector<Step> steps_of(Recovery& r) {
  std::vector<Step> out;
  out.push_back({"check",
                 "check that no quorum and no other member is there, say what may be lost, "
                 "and ask",
                 [&r] { return r.choose(); }});
  out.push_back({"stop", "stop etcd and its guard on this host", [&r] { return r.stop(); }});
  out.push_back({"export", "make a snapshot of all that this host's log holds",
                 [&r] { return r.export_log(); }});
  out.push_back({"keep", fmt::format("move {} aside, as a safety copy", r.host.data_dir),
                 [&r] { return r.keep_data(); }});
  out.push_back({"found", "begin a cluster of one member with it, under a new token",
                 [&r] { return r.found(); }});
  out.push_back({"configure", "write the member's ticket", [&r] { return r.configure(); }});
  out.push_back({"start", fmt::format("start etcd-guard and etcd ({})", r.host.init_system),
                 [&r] { return start_member(r.context, r.host); }});
  out.push_back({"health", "wait until it serves", [&r] { return r.serve(); }});
  return out;
}

}  // namespace

Reply member_recover(const Context& context) {
  std::optional<posix::FileLock> lock;
  if (!context.flags.dry_run) {
    TRY(lock, lock_state(context.places()));
  }
  TRY(auto host, load_host(context.places()));
  TRY(auto choice, read_choice(context));
  TRY(const auto open, unfinished(context.places()));
  if (open.empty()) {  // it is of one that had come to its end
    choice.reset();
    if (lock) TRY_OK(posix::remove_tree(context.places().recovery()));
  }
  if (!choice && host.stage != Stage::kMember && host.stage != Stage::kStarted)
    return base::fail(Code::kFailedPrecondition,
                      "this host has no data of a member: type it on one that has");
  Recovery recovery{context, std::move(host), std::move(choice)};
  const auto steps = steps_of(recovery);
  const Run run{"member recover", {}};
  if (context.flags.dry_run) {
    Answer out = dry_run(run, steps);
    if (!recovery.choice) {
      TRY(const auto facts, look(context, recovery.host));
      if (const auto why = why_not(facts); !why.empty())
        return base::fail(Code::kFailedPrecondition, why);
      out.text += "\n" + told(recovery.host, facts) + "\n";
    }
    return out;
  }
  TRY_OK(run_steps(context, run, steps));
  const Host& now = recovery.host;
  Answer out;
  out.text = fmt::format(
      "{0} serves at {1} as a cluster of one member ({2}), with what this host had: {3}.\n"
      "Its old data is kept in {4}: remove it when nothing is missed.\n"
      "On each other host: `etcdadm reset --skip-remove-member --keep-config`, then\n\n"
      "  etcdadm join {5}\n",
      now.name, now.client_url(), base::to_text(now.cluster_id), recovery.choice->bound,
      recovery.choice->kept, now.peer_url());
  out.value["name"] = now.name;
  out.value["clusterID"] = base::to_text(now.cluster_id);
  out.value["clientURL"] = now.client_url();
  out.value["kept"] = recovery.choice->kept;
  out.value["bound"] = recovery.choice->bound;
  return out;
}

}  // namespace adm
