// certs check|renew|generate: this host's, or those for another.
#include <fmt/format.h>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "base/text.h"
#include "posix/addresses.h"
#include "posix/files.h"

namespace adm {
namespace {

base::Result<base::Duration> limit_of(const Context& context, const char* flag,
                                      const char* fallback) {
  const auto& text = context.flags.limit.empty() ? std::string(fallback) : context.flags.limit;
  TRY_IN(flag, const auto limit, base::parse_duration(text));
  return limit;
}

std::string_view name_of(Health health) {
  switch (health) {
    case Health::kGood:
      return "good";
    case Health::kSoon:
      return "SOON";
    case Health::kBad:
      return "BAD";
  }
  return "?";
}

// For a host that shall not have the authority's key: what it needs, in a folder to be copied.
Reply generate_for(const Context& context) {
  const Flags& f = context.flags;
  if (f.name.empty() || f.bind_address.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "--out needs --name and --bind-address: those of the host that it is for");
  TRY_OK(check_name(f.name));
  TRY_OK(check_sans(f.extra_sans));
  if (posix::kind_of_address(f.bind_address) == posix::AddressKind::kNone)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--bind-address: '{}' is neither an IPv4 nor an IPv6 address",
                                  f.bind_address.substr(0, 200)));
  TRY_OK(check_folder("--out", f.out));
  TRY_OK(check_folder("--certs-dir", f.certs_dir));
  Host signer;
  configure(signer, f);
  if (const auto own = load_host(context.places())) signer.certs_dir = own->certs_dir;
  auto ca = signing_authority(signer);
  if (!ca) return std::unexpected(ca.error().in("the authority that is to sign"));
  const auto names = posix::list_dir(f.out);
  if (names && !names->empty())
    return base::fail(base::Code::kFailedPrecondition, f.out + " is not empty");
  Answer out;
  out.value["folder"] = f.out;
  if (f.dry_run) {
    out.text =
        fmt::format("etcdadm certs generate would write ca.crt and three pairs into {}\n", f.out);
    return out;
  }
  TRY(const auto bundle, posix::read_file(certificate_file(signer, "ca"), size_t{1} << 20));
  Host other = signer;
  other.certs_dir = f.out;
  other.user.clear();  // that host gives them away itself
  TRY_OK(posix::make_dirs(f.out, 0700));
  for (const char* name : kLeaves) TRY_OK(write_leaf(other, *ca, name, context.clock.now()));
  TRY_OK(posix::write_atomic(certificate_file(other, "ca"), bundle, 0644));
  out.text = fmt::format("{} has what {} at {} needs to join; copy it to its certificates folder\n",
                         f.out, f.name, f.bind_address);
  return out;
}

}  // namespace

Reply certs_generate(const Context& context) {
  if (!context.flags.out.empty()) return generate_for(context);
  const auto now = context.clock.now();
  auto host = load_host(context.places());
  if (!host && host.error().code != base::Code::kNotFound) return std::unexpected(host.error());
  const bool member = host && host->stage != Stage::kNone;
  Flags flags = context.flags;
  Host mine;
  if (host) {
    mine = *host;
  } else {
    TRY(const auto machine, look_at_machine());
    TRY_OK(complete(flags, machine));
    configure(mine, flags);
  }
  Answer out;
  out.value["folder"] = mine.certs_dir;
  if (flags.dry_run) {
    out.text = fmt::format("etcdadm certs generate would make what {} lacks\n", mine.certs_dir);
    return out;
  }
  TRY(const auto lock, lock_state(context.places()));
  // A member's cluster has an authority; another one would be of no use to it.
  TRY_OK(member ? take_certificates(mine, now) : make_certificates(mine, now));
  out.text = fmt::format("{} is complete\n", mine.certs_dir);
  return out;
}

Reply certs_check(const Context& context) {
  TRY(const auto soon, limit_of(context, "--warn", "30d"));
  TRY(const auto host, load_host(context.places()));
  Answer out;
  json::Array list;
  out.text = fmt::format("{:<22} {:<6} {:>6}  {:<21} {}\n", "CERTIFICATE", "STATE", "DAYS",
                         "EXPIRES", "PROBLEM");
  for (const auto& leaf : check_certificates(host, context.clock.now(), soon)) {
    json::Value v;
    v["name"] = leaf.name;
    v["state"] = name_of(leaf.health);
    v["days"] = leaf.days;
    v["expires"] = base::to_rfc3339(leaf.expires);
    v["fingerprint"] = leaf.fingerprint;
    if (!leaf.problem.empty()) v["problem"] = leaf.problem;
    list.push_back(std::move(v));
    out.text +=
        fmt::format("{:<22} {:<6} {:>6}  {:<21} {}\n", leaf.name, name_of(leaf.health), leaf.days,
                    base::to_rfc3339(leaf.expires).substr(0, 19) + "Z", leaf.problem);
    if (leaf.health == Health::kBad) out.failed = true;
  }
  out.value["certificates"] = std::move(list);
  return out;
}

Reply certs_renew(const Context& context) {
  // A third of a year's life.
  TRY(const auto within, limit_of(context, "--within", "122d"));
  TRY(const auto host, load_host(context.places()));
  Answer out;
  if (context.flags.dry_run) {
    const auto due = due_certificates(host, context.clock.now(), within);
    out.value["due"] = due;
    out.text = due.empty() ? "etcdadm certs renew would do nothing: none is due\n"
                           : "etcdadm certs renew would renew " + base::join(due, ", ") + "\n";
    return out;
  }
  TRY(const auto lock, lock_state(context.places()));
  TRY(const auto done, renew_certificates(host, context.clock.now(), within));
  out.value["renewed"] = done;
  out.text = done.empty() ? "none is due\n"
                          : fmt::format(
                                "renewed {}; etcd takes them with its next handshakes, "
                                "without a restart\n",
                                base::join(done, ", "));
  return out;
}

}  // namespace adm
