// snapshot save|status|verify|list: files that are judged natively, by their bytes alone.
#include <fmt/format.h>

#include <algorithm>

#include "adm/cluster.h"
#include "adm/commands.h"
#include "adm/remote.h"
#include "adm/snapshot_file.h"
#include "etcd/bolt/describe.h"
#include "etcd/bolt/verify.h"
#include "posix/files.h"
#include "posix/output_file.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kStream = std::chrono::hours(2);

base::Result<bolt::SnapshotFacts> judge(const std::string& file, bool member_file, bool hash) {
  TRY(const auto source, bolt::FileSource::open(file));
  auto facts = bolt::verify(source, {.trailer_required = !member_file, .hash_kv = hash});
  if (!facts)
    return std::unexpected(facts.error().in(
        file + (facts.error().code == Code::kDataLoss ? ": not a good snapshot" : "")));
  return facts;
}

// A follower before the leader, which has enough to do; a learner may lack the newest.
base::Result<const etcd::Member*> source_of(const Sight& sight) {
  const etcd::Member* best = nullptr;
  for (const auto& seat : sight.view.seats) {
    if (!seat.voter || !seat.healthy) continue;
    const auto* m = sight.by_id(seat.id());
    if (m == nullptr || m->client_urls.empty()) continue;
    if (best == nullptr || best->id == sight.leader()) best = m;
  }
  if (best != nullptr) return best;
  // Without a quorum a snapshot of whoever answers may be all there is to be had.
  for (const auto& m : sight.list.members)
    if (const auto& status = sight.statuses.at(m.id); status && !status->learner) return &m;
  return base::fail(Code::kUnavailable, "no member answers that a snapshot could be taken from");
}

base::Status stream(etcd::EtcdApi& api, const std::string& to) {
  TRY(auto out, posix::OutputFile::create(to));
  base::Status written;
  const auto done = api.snapshot(
      [&](std::string_view bytes) {
        written = out.write(bytes);
        return written.has_value();
      },
      kStream);
  TRY_OK(written);
  TRY_OK(done);
  return out.commit();
}

base::Status keep(const Context& context, const std::string& part, const std::string& file) {
  const auto older = give_snapshot_name(part, file, context.clock.now());
  if (!older) return std::unexpected(older.error());
  if (!older->empty()) context.say("the file that was there is kept as " + *older);
  return {};
}

// A file here, or one that was fetched from a store for it.
base::Result<bolt::SnapshotFacts> judge_subject(const Context& context) {
  const auto& f = context.flags;
  if (!is_remote(f.subject)) return judge(f.subject, f.member_file, true);
  TRY(const auto scratch, get_remote(context, f.subject));
  auto facts = judge(scratch.path(), f.member_file, true);
  if (!facts && facts.error().code == Code::kDataLoss)
    return base::fail(Code::kDataLoss,
                      f.subject + ": not a good snapshot: " +
                          facts.error().message.substr(facts.error().message.rfind(": ") + 2));
  return facts;
}

}  // namespace

Reply snapshot_save(const Context& context) {
  const std::string& file = context.flags.subject;
  const bool remote = is_remote(file);
  if (!remote) TRY_OK(check_snapshot_name(file));
  TRY(const auto host, load_host(context.places()));
  TRY(const auto at, cluster_of(context, host));
  TRY(const auto sight, at.look());
  TRY(const auto* from, source_of(*sight));
  const std::string& url = from->client_urls.front();
  Answer out;
  if (context.flags.dry_run) {
    out.text = fmt::format("etcdadm snapshot save would stream the database of {} into {}\n",
                           from->name, file);
    return out;
  }
  if (!sight->quorum)
    context.say("there is no quorum: this is what " + from->name + " has, which may not be all");
  context.say(fmt::format("streams the database of {} ({})", from->name, url));
  // Only what was judged good gets the name.
  TRY(const auto scratch, remote ? new_scratch(context) : base::Result<Scratch>(Scratch("")));
  TRY(const auto part, remote ? base::Result<std::string>(scratch.path()) : part_of(file));
  if (remote) TRY_OK(check_remote(context, file));
  TRY_OK(stream(*at.at(url), part));
  const auto facts = judge(part, false, true);
  if (!facts) {
    (void)posix::remove_file(part);
    return std::unexpected(facts.error());
  }
  TRY_OK(remote ? put_remote(context, part, file) : keep(context, part, file));
  out.value = bolt::to_json(*facts);
  out.value["file"] = file;
  out.value["member"] = from->name;
  out.text = fmt::format("{}: a good snapshot, taken from {}\n{}", file, from->name,
                         bolt::to_text(*facts));
  return out;
}

Reply snapshot_status(const Context& context) {
  TRY(const auto facts, judge_subject(context));
  Answer out;
  out.value = bolt::to_json(facts);
  out.text = fmt::format("{}: a good snapshot\n{}", context.flags.subject, bolt::to_text(facts));
  return out;
}

Reply snapshot_verify(const Context& context) {
  TRY(const auto facts, judge_subject(context));
  Answer out;
  out.value["file"] = context.flags.subject;
  out.value["good"] = true;
  out.value["revision"] = facts.revision;
  out.value["sha256"] = facts.sha256;
  out.text = fmt::format("{}: good, revision {}, {} keys\n", context.flags.subject, facts.revision,
                         facts.live_keys);
  return out;
}

Reply snapshot_list(const Context& context) {
  const std::string& folder = context.flags.subject;
  if (is_remote(folder)) return list_remote(context, folder);
  TRY(const auto names, posix::list_dir(folder));
  Answer out;
  json::Array list;
  out.text =
      fmt::format("{:<40} {:>12} {:<20} {:>12} {}\n", "FILE", "BYTES", "TIME", "REVISION", "STATE");
  for (const auto& name : names) {
    const std::string file = folder + "/" + name;
    const auto info = posix::file_info(file);
    if (!info || !info->regular || name.starts_with('.')) continue;
    const auto facts = judge(file, false, false);
    // What is no database at all is some other file.
    if (!facts && !name.ends_with(".db")) continue;
    const std::string time =
        base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(info->modified)).substr(0, 19);
    json::Value v;
    v["file"] = file;
    v["bytes"] = info->size;
    v["time"] = time + "Z";
    v["good"] = facts.has_value();
    if (facts) v["revision"] = facts->revision;
    if (!facts) v["problem"] = facts.error().message;
    list.push_back(std::move(v));
    out.text += fmt::format("{:<40} {:>12} {:<20} {:>12} {}\n", name, info->size, time + "Z",
                            facts ? std::to_string(facts->revision) : "-",
                            facts ? "good" : "BAD: " + facts.error().message);
  }
  out.value["snapshots"] = std::move(list);
  return out;
}

}  // namespace adm
