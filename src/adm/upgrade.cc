// upgrade plan|apply: the step of this host on the cluster's way to another version of etcd.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "adm/begin.h"
#include "adm/commands.h"
#include "adm/findings.h"
#include "adm/gauges.h"
#include "adm/node.h"
#include "adm/promotions.h"
#include "adm/retry.h"
#include "adm/steps.h"
#include "adm/upgrade_way.h"
#include "adm/user.h"
#include "api/hazards.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "json/json.h"
#include "plan/quorum.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kChange{10'000}, kMove{30'000}, kStatus{3'000};
constexpr size_t kLimit = size_t{1} << 16;
constexpr const char* kLast = "health";

// Kept from the first check until the step is done, so that a killed one knows what it was about.
struct Memory {
  std::string from, to;        // empty: nothing is under way
  std::string backup;          // the file that was saved before
  bool stopping = false;       // this member may be down by our hand
  std::uint64_t log_base = 0;  // of the step from 3.6 to 3.7
};

std::string file_of(const Context& context) {
  return context.places().upgrade();
}

base::Result<Memory> read_memory(const Context& context) {
  Memory out;
  const auto text = posix::read_file(file_of(context), kLimit);
  if (!text && text.error().code == Code::kNotFound) return out;
  if (!text) return std::unexpected(text.error());
  TRY_IN(file_of(context), const auto value, json::parse(*text));
  TRY_IN(file_of(context), out.from, json::get_string(value, "from"));
  TRY_IN(file_of(context), out.to, json::get_string(value, "to"));
  TRY_IN(file_of(context), out.backup, json::get_string(value, "backup"));
  TRY_IN(file_of(context), out.stopping, json::get_bool(value, "stopping"));
  TRY_IN(file_of(context), out.log_base, json::get_uint(value, "logBase"));
  return out;
}

base::Status write_memory(const Context& context, const Memory& m) {
  const json::Value value = json::Object{{"from", m.from},
                                         {"to", m.to},
                                         {"backup", m.backup},
                                         {"stopping", m.stopping},
                                         {"logBase", m.log_base}};
  return posix::write_atomic(file_of(context), json::print(value, json::Style::kPretty) + "\n");
}

// Of the etcd that the guard runs; empty: it says nothing.
std::string running_version(const Places& places) {
  const auto bytes = posix::read_file(places.member_files().state, kLimit);
  if (!bytes) return {};
  const auto state = guard::decode_state(*bytes);
  return state ? state->version : std::string();
}

struct Look {
  std::unique_ptr<Sight> sight;
  Way way;
};

struct Upgrade {
  const Context& context;
  Host host;
  Memory memory;
  std::optional<api::Version> target;

  base::Result<Look> look() const {
    TRY(const auto at, cluster_of(context, host));
    Look out;
    TRY(out.sight, at.look());
    WayQuestion question;
    question.target = target;
    question.cluster_version = cluster_version_of(ask_gauges(at, *out.sight, context.stop));
    question.log_base = memory.log_base;
    question.options = host.options;
    if (memory.stopping) question.restarting = host.member_id;
    TRY(out.way, find_way(*out.sight, question));
    return out;
  }

  [[nodiscard]] bool runs(const Sight& sight, const api::Version& version) const {
    const auto status = sight.statuses.find(host.member_id);
    return status != sight.statuses.end() && status->second &&
           status->second->version == version.text();
  }

  // Entries in the form of 3.5 may lie below what the log has reached now; 3.7 cannot read them.
  base::Status note_log(const Look& seen) {
    if (memory.log_base > 0 || seen.way.step.minor != 7) return {};
    for (const auto& [id, status] : seen.sight->statuses)
      if (status) memory.log_base = std::max(memory.log_base, status->raft_index);
    return {};
  }

  // Where this step goes to is chosen once; from then on only that, or back to where it began.
  base::Status choose() {
    if (!memory.to.empty()) {
      if (!target || target->text() == memory.to) return {};
      if (target->text() != memory.from)
        return base::fail(Code::kFailedPrecondition,
                          fmt::format("the step {0} → {1} was begun here: `etcdadm upgrade apply "
                                      "{1}` goes on with it, `etcdadm upgrade apply {0}` back",
                                      memory.from, memory.to));
      TRY_OK(may_go_back());
      std::swap(memory.from, memory.to);
      return write_memory(context, memory);
    }
    TRY(const auto limit, start_timeout(context));
    return until_done(context, limit, "the step cannot be taken",
                      [&]() -> base::Result<std::string> { return choose_once(); });
  }

  base::Status may_go_back() const {
    const auto seen = look();
    if (seen && !seen->way.why_not.empty())
      return base::fail(Code::kFailedPrecondition, seen->way.why_not);
    if (!seen && (!memory.stopping || seen.error().code != Code::kUnavailable))
      return std::unexpected(seen.error());
    if (!seen)
      context.say(
          "the cluster does not answer without this member; if it has taken the new minor already, "
          "the old etcd ends at once and nothing is lost by that");
    return {};
  }

  base::Result<std::string> choose_once() {
    TRY(auto seen, look());
    TRY_OK(note_log(seen));
    if (seen.way.step.minor == 7) {
      TRY(seen, look());
    }
    if (is_unguarded(context, host, *seen.sight) && host.init_system == "none")
      return base::fail(Code::kFailedPrecondition,
                        "etcd runs here without its guard: `etcdadm adopt --restart` first");
    const auto why = why_not_now(seen.way, host.member_id);
    if (!why.empty() && seen.way.later && why == seen.way.why_not) {
      if (seen.way.advance_to > 0) TRY_OK(advance_log(*seen.sight, seen.way.advance_to));
      return why;
    }
    if (!why.empty()) return base::fail(Code::kFailedPrecondition, why);
    memory.to = seen.way.step.text();
    memory.from = host.version;
    TRY_OK(write_memory(context, memory));
    return std::string();
  }

  // To disarm the alarm of no member changes nothing and is an entry of the log.
  base::Status advance_log(const Sight& sight, std::uint64_t index) const {
    TRY(const auto at, cluster_of(context, host));
    TRY(const auto api, at.voter(sight, true));
    TRY(const auto status, api->status(kStatus));
    for (auto i = status.raft_applied; i < index && !context.stop.stop_requested(); ++i)
      if (const auto entry = api->disarm({}, etcd::AlarmKind::kNoSpace, kChange); !entry)
        return std::unexpected(entry.error().error);
    return {};
  }

  [[nodiscard]] Host with(const std::string& version) const {
    Host out = host;
    out.version = version;
    return out;
  }

  base::Status back_up() {
    if (!memory.backup.empty() || memory.stopping) return {};
    const std::string folder = context.flags.backup_dir.empty()
                                   ? context.flags.state_dir + "/backups"
                                   : context.flags.backup_dir;
    TRY_OK(check_folder("--backup-dir", folder));
    TRY_OK(posix::make_dirs(folder));
    Context save = context;
    std::string time;
    for (const char c : base::to_rfc3339(context.clock.now()).substr(0, 19))
      if (c != '-' && c != ':') time += c;
    save.flags.subject = fmt::format("{}/before-{}-{}Z.db", folder, memory.to, time);
    save.flags.dry_run = false;
    TRY(const auto saved, snapshot_save(save));
    context.say("saved " + save.flags.subject);
    memory.backup = save.flags.subject;
    return write_memory(context, memory);
  }

  // With one voter or two there is no other way than that the cluster waits.
  base::Status move_away() {
    if (memory.stopping) return {};
    TRY(const auto at, cluster_of(context, host));
    return until_done(context, kMove, "the leadership does not move",
                      [&] { return move_once(at); });
  }

  base::Result<std::string> move_once(const Cluster& at) const {
    TRY(const auto sight, at.look());
    if (sight->quorum && sight->leader() && sight->leader() != host.member_id) return std::string();
    const plan::Seat* own = sight->view.by_id(host.member_id);
    const plan::Seat* heir = own == nullptr ? nullptr : sight->view.heir(*own);
    if (heir == nullptr) {
      if (sight->view.voters == 1) return std::string();
      return "no other healthy voter could lead";
    }
    TRY(const auto leader, at.voter(*sight, true));
    if (const auto moved = leader->move_leader(heir->id(), kChange); !moved)
      return moved.error().error.message;
    return "it was asked for";
  }

  // The last look before the act: the others must be a quorum without this one.
  base::Status stop() {
    const bool alive = host::is_alive(context.places().member_files()) == base::Fact<bool>(true);
    if (alive && running_version(context.places()) == memory.to) return {};
    auto seen = !memory.stopping || alive ? look() : base::Result<Look>(Look{});
    // Without this very member there may be no quorum; then nothing is lost by its stop.
    if (!seen && !(memory.stopping && seen.error().code == Code::kUnavailable))
      return std::unexpected(seen.error());
    if (seen && seen->sight) {
      const auto& view = seen->sight->view;
      const plan::Seat* own = view.by_id(host.member_id);
      if (own == nullptr || (plan::tolerated(view.voters) > 0 && !view.may_stop(*own)))
        return base::fail(
            Code::kFailedPrecondition,
            fmt::format("{} of {} voters are healthy: without {} they are no quorum of {}",
                        view.healthy_voters, view.voters, host.name, plan::quorum_of(view.voters)));
      TRY_OK(check_reach(host, context.places()));
      memory.stopping = true;
      TRY_OK(write_memory(context, memory));
    }
    return stop_member(context, host);
  }

  // A learner in the store of who was promoted long ago.
  [[nodiscard]] bool wants_records() const {
    const auto from = api::parse_version(memory.from), to = api::parse_version(memory.to);
    return from && to && from->minor == 5 && to->minor == 6;
  }
  base::Status write_records() const {
    if (!wants_records() || memory.stopping) return {};
    TRY(const auto at, cluster_of(context, host));
    TRY(const auto limit, start_timeout(context));
    // What was lost on its way is asked for again: it changes nothing a second time.
    return until_done(context, limit, "the members' records are not written",
                      [&]() -> base::Result<std::string> {
                        const auto sight = at.look();
                        if (!sight) return sight.error().message;
                        const auto done = write_members_again(at, **sight);
                        if (done) return std::string();
                        if (done.error().code == Code::kFailedPrecondition)
                          return std::unexpected(done.error());
                        return done.error().message;
                      });
  }
  base::Status check_records() {
    const auto files = context.places().member_files();
    if (!wants_records() || host::is_alive(files) == base::Fact<bool>(true)) return {};
    TRY(const auto learners, learners_in(files.data + "/member/snap/db"));
    if (learners.empty()) return {};
    return std::unexpected(how_to_go_back(
        {Code::kFailedPrecondition,
         fmt::format("this member's store has {} as learners, with which {} may not start",
                     learners, memory.to)}));
  }

  base::Status switch_programs() {
    TRY_OK(check_records());
    host.version = memory.to;
    TRY_OK(save_host(context.places(), host));
    TRY_OK(install_programs(context, host));
    return write_member(context, host);
  }

  base::Status come_back() {
    TRY(const auto version, api::parse_version(memory.to));
    const auto served = wait_serving(context, host);
    if (!served) return std::unexpected(how_to_go_back(served.error()));
    TRY(const auto at, cluster_of(context, host));
    TRY(const auto limit, start_timeout(context));
    const auto well =
        until_done(context, limit, "it is not well", [&]() -> base::Result<std::string> {
          TRY(const auto sight, at.look());
          const auto* seat = sight->view.by_id(host.member_id);
          if (seat == nullptr || !seat->healthy) return "it follows no leader yet";
          if (!runs(*sight, version)) return "another version answers: " + seat->status->version;
          return std::string();
        });
    if (!well) return std::unexpected(how_to_go_back(well.error()));
    return posix::remove_file(file_of(context));
  }

  [[nodiscard]] base::Error how_to_go_back(base::Error error) const {
    const auto at = cluster_of(context, host);
    const auto sight =
        at ? at->look() : base::Result<std::unique_ptr<Sight>>(std::unexpected(at.error()));
    const bool serves = sight && (*sight)->quorum;
    error.message += fmt::format(
        ".\n{} To go back: `etcdadm upgrade apply {}` here. To try again: `etcdadm upgrade apply "
        "{}`. {}No other member goes on before this one is well.",
        serves ? "The other members serve." : "The cluster does NOT serve without this member.",
        memory.from, memory.to,
        memory.backup.empty() ? "" : fmt::format("What was before is in {}. ", memory.backup));
    return error;
  }
};

std::vector<Step> steps_of(Upgrade& u) {
  const Context& c = u.context;
  std::vector<Step> out;
  out.push_back({"preflight", "check that the cluster is well and that this host's turn has come",
                 [&u] { return u.choose(); }});
  out.push_back({"fetch", "bring the version into the cache",
                 [&u] { return fetch_programs(u.context, u.with(u.memory.to)); }});
  out.push_back({"backup", "save a snapshot of the cluster", [&u] { return u.back_up(); }});
  out.push_back({"members", "have etcd write the members' records again, before 3.6 reads them",
                 [&u] { return u.write_records(); }});
  out.push_back({"leadership", "let another member lead", [&u] { return u.move_away(); }});
  out.push_back({"stop", "stop etcd and its guard on this host", [&u] { return u.stop(); }});
  out.push_back({"switch", fmt::format("put the version into {}", u.host.install_dir),
                 [&u] { return u.switch_programs(); }});
  out.push_back({"start", fmt::format("start etcd-guard and etcd ({})", u.host.init_system),
                 [&u, &c] { return start_member(c, u.host); }});
  out.push_back(
      {kLast, "wait until this member is back and in sync", [&u] { return u.come_back(); }});
  return out;
}

base::Result<std::optional<api::Version>> target_of(const Context& context) {
  const std::string& text = context.flags.subject;
  if (text.empty()) return std::optional<api::Version>();
  TRY_IN("VERSION", const auto version, api::parse_version(text));
  if (const auto why = api::check_version(version))
    return base::fail(Code::kInvalidArgument, "VERSION: " + *why);
  return std::optional(version);
}

base::Result<Upgrade> begin_upgrade(const Context& context) {
  TRY(const auto target, target_of(context));
  TRY(auto host, load_host(context.places()));
  if (host.stage != Stage::kMember)
    return base::fail(Code::kFailedPrecondition,
                      "this host is no member yet: `etcdadm init` or "
                      "`etcdadm join URL` did not come to its end");
  TRY(auto memory, read_memory(context));
  return Upgrade{context, std::move(host), std::move(memory), target};
}

Answer show(const Way& way, const Upgrade& u) {
  Answer out;
  out.value["target"] = way.target.text();
  out.value["step"] = way.step.text();
  out.value["finished"] = way.finished;
  if (way.finished) {
    out.text = fmt::format("Every member runs {}; there is nothing to do.\n", way.target.text());
    return out;
  }
  out.text = way.what;
  for (const auto& after : way.then) out.text += ", then " + after.text();
  out.text += "\n\n";
  json::Array turns;
  for (const auto& turn : way.turns) {
    out.text +=
        fmt::format("  {:<16} {:<8} {}{}\n", turn.name, turn.version.empty() ? "?" : turn.version,
                    turn.done    ? "done"
                    : turn.leads ? "last, as it leads"
                                 : "etcdadm upgrade apply",
                    turn.id == u.host.member_id ? "   (this host)" : "");
    turns.emplace_back(json::Object{{"name", turn.name},
                                    {"version", turn.version},
                                    {"leads", turn.leads},
                                    {"done", turn.done}});
  }
  out.value["turns"] = std::move(turns);
  for (const auto& advice : way.advice) out.text += "note: " + advice + "\n";
  const auto why = why_not_now(way, u.host.member_id);
  out.value["mayApply"] = why.empty();
  if (!why.empty()) out.value["whyNot"] = why;
  out.text += why.empty() ? "\nThis host may go now: etcdadm upgrade apply\n"
                          : "\nNot here and now: " + why + "\n";
  if (!u.memory.to.empty())
    out.text += fmt::format("The step {} → {} was begun here and did not end.\n", u.memory.from,
                            u.memory.to);
  return out;
}

// Nothing that was asked for is left to do on this host.
bool taken(const Way& way, const Upgrade& u) {
  const auto own = std::ranges::find(way.turns, u.host.member_id, &Turn::id);
  return own != way.turns.end() && own->done && u.memory.to.empty() &&
         (!u.target || *u.target == way.step);
}

// This host's step is taken.
Reply done(const Upgrade& upgrade) {
  TRY(const auto seen, upgrade.look());
  Answer out;
  out.value["name"] = upgrade.host.name;
  out.value["version"] = upgrade.host.version;
  out.value["backup"] = upgrade.memory.backup;
  const auto next = next_of(seen.way);
  out.text =
      fmt::format("{} runs etcd {} and is in sync; {}.\n", upgrade.host.name, upgrade.host.version,
                  next.empty() ? "every member has taken this step" : next);
  for (const auto& after : seen.way.then)
    out.text += fmt::format("After that: {}, again host by host.\n", after.text());
  return out;
}

}  // namespace

Reply upgrade_plan(const Context& context) {
  TRY(auto upgrade, begin_upgrade(context));
  TRY(const auto seen, upgrade.look());
  return show(seen.way, upgrade);
}

Reply upgrade_apply(const Context& context) {
  TRY(auto upgrade, begin_upgrade(context));
  const auto steps = steps_of(upgrade);
  const Run run{"upgrade apply", {}};
  if (context.flags.dry_run) {
    TRY(const auto seen, upgrade.look());
    Answer out = show(seen.way, upgrade);
    out.text += "\n" + dry_run(run, steps).text;
    return out;
  }
  TRY(const auto lock, lock_state(context.places()));
  TRY(auto open, unfinished_step(context.places()));
  if (open.command == run.command && upgrade.memory.to.empty()) {  // it had come to its end
    TRY_OK(forget_journal(context.places()));
    // Without a VERSION it was about that very step, and not about one that could follow.
    if (open.step == kLast && !upgrade.target) return done(upgrade);
    open.command.clear();
  }
  if (open.command.empty()) {
    TRY(const auto seen, upgrade.look());
    if (taken(seen.way, upgrade)) return show(seen.way, upgrade);
    if (plan::tolerated(seen.sight->view.voters) == 0 && !context.flags.yes &&
        !context.ask("The cluster does not answer while this member restarts. Go on?"))
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("a cluster of {} does not answer while a member restarts: say "
                                    "--yes, or answer yes",
                                    seen.sight->view.voters));
  }
  TRY_OK(run_steps(context, run, steps));
  return done(upgrade);
}

}  // namespace adm
