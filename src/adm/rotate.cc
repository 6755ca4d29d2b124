// certs rotate: from one authority to the next, in three rounds over the hosts. Each call does this
// host's next phase if every member's running etcd, asked by a handshake, has come far enough; what
// is to be done follows from the files and from what etcd shows, so a call that was killed goes on.
#include <fmt/format.h>

#include <algorithm>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/fetch_authority.h"
#include "adm/listener.h"
#include "adm/node.h"
#include "adm/restart.h"
#include "adm/retry.h"
#include "adm/steps.h"
#include "adm/trust.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "pki/random.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kCaLife = std::chrono::hours(24 * 365 * 10), kShown{30'000}, kRead{3'000};
constexpr size_t kFile = size_t{1} << 20;
constexpr const char *kCommand = "certs rotate", *kNext = "ca-next", *kForget = "forget";

struct Rotation {
  const Context& context;
  Host& host;
  pki::Pair next;
  pki::Certificate next_cert, old_cert;
  std::vector<HostTrust> hosts;

  [[nodiscard]] TrustPhase phase(const HostTrust& of) const { return phase_of(of, next_cert); }
  [[nodiscard]] TrustPhase own() const {
    for (const auto& h : hosts)
      if (h.id == host.member_id) return phase(h);
    return TrustPhase::kUnknown;
  }
  // The names of those that have not come as far.
  [[nodiscard]] std::string behind(TrustPhase wanted) const {
    std::string out;
    for (const auto& h : hosts)
      if (phase(h) < wanted)
        out += fmt::format("\n  {} {}{}", h.name, words_of(phase(h)),
                           h.problem.empty() ? "" : ": " + h.problem);
    return out;
  }
};

bool has_next(const Host& host) {
  return posix::exists(certificate_file(host, kNext)) == base::Fact<bool>(true);
}

base::Status look(Rotation& r) {
  TRY(const auto at, cluster_of(r.context, r.host));
  TRY(const auto sight, at.look());
  if (!sight->quorum) return base::fail(Code::kUnavailable, "no quorum answers: " + sight->problem);
  r.hosts = look_at_trust(r.context, *sight);
  return {};
}

// Of the file that etcd trusts: the first that is not the next one.
base::Status read_authorities(Rotation& r) {
  TRY(const auto bundle, posix::read_file(certificate_file(r.host, "ca"), kFile));
  TRY_IN(certificate_file(r.host, "ca"), const auto all, pki::parse_bundle(bundle));
  r.old_cert = all.front();
  if (!has_next(r.host)) return {};
  TRY(r.next, read_pair(r.host, kNext));
  TRY_IN(certificate_file(r.host, kNext), r.next_cert, pki::parse_certificate(r.next.cert));
  TRY(const bool matches, pki::key_matches(r.next.key, r.next.cert));
  if (!matches)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("{} is not the key of {}", key_file(r.host, kNext),
                                  certificate_file(r.host, kNext)));
  return {};
}

// None begins while another has not ended anywhere.
base::Status check_settled(const Rotation& r) {
  std::string others;
  for (const auto& h : r.hosts) {
    if (!h.problem.empty()) others += fmt::format("\n  {} does not answer: {}", h.name, h.problem);
    for (const auto& shown : h.ports) {
      if (!shown.problem.empty()) continue;
      if (shown.leaf.authority_key_id != r.old_cert.subject_key_id)
        others += fmt::format("\n  {} has a certificate of {} at {}", h.name,
                              shown.leaf.issuer_common_name, shown.url);
      if (shown.authorities.size() > 1)
        others += fmt::format("\n  {} trusts more than one authority at {}", h.name, shown.url);
    }
  }
  if (others.empty()) return {};
  return base::fail(Code::kFailedPrecondition,
                    "a rotation begins when every member answers and has this host's authority "
                    "alone. If one is under way, `etcdadm certs rotate` there goes on, and "
                    "prints the command for hosts that have not begun:" +
                        others);
}

base::Status begin_here(Rotation& r) {
  TRY_OK(check_settled(r));
  if (!r.context.flags.yes &&
      !r.context.ask("This begins to replace the authority of the whole cluster; clients need "
                     "the new one before the second round. Go on?"))
    return base::fail(Code::kFailedPrecondition, "not confirmed: say --yes, or answer yes");
  TRY(const auto digits, pki::random_hex(4));
  // A name of its own: by it members tell whom they trust.
  TRY(const auto next, pki::make_ca({"etcd-ca-" + digits, r.context.clock.now(), kCaLife}));
  TRY_OK(write_pair(r.host, kNext, next));
  return read_authorities(r);
}

base::Status fetch_next(Rotation& r) {
  Flags flags = r.context.flags;
  if (flags.ca_hash.empty()) flags.ca_hash = "sha256:" + r.old_cert.fingerprint;
  TRY(const auto pass, pass_of(flags));
  if (!pass || flags.token.empty() == flags.token_file.empty())
    return base::fail(Code::kInvalidArgument, "URL needs --token or --token-file");
  TRY(const auto handed, fetch_handed(r.context, flags.subject, *pass, true));
  const auto cert = handed.certs.find("ca-next.crt");
  const auto key = handed.keys.find("ca-next.key");
  if (cert == handed.certs.end() || key == handed.keys.end())
    return base::fail(Code::kDataLoss, "the member's answer lacks the next authority");
  TRY_IN("the next authority", const auto parsed, pki::parse_certificate(cert->second));
  TRY_IN("the next authority", const bool own, pki::key_matches(key->second, cert->second));
  if (!own || !parsed.is_ca || parsed.fingerprint == r.old_cert.fingerprint ||
      parsed.not_after <= r.context.clock.now())
    return base::fail(Code::kDataLoss, "what the member handed over is no next authority");
  if (has_next(r.host) && r.next_cert.fingerprint != parsed.fingerprint)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("{} is of another rotation than that of {}: remove the one that "
                                  "no other host has",
                                  certificate_file(r.host, kNext), flags.subject));
  TRY_OK(write_pair(r.host, kNext, {cert->second, key->second}));
  return read_authorities(r);
}

base::Status trust_both(Rotation& r) {
  const std::string file = certificate_file(r.host, "ca");
  TRY(const auto bundle, posix::read_file(file, kFile));
  TRY_IN(file, const auto all, pki::parse_bundle(bundle));
  if (std::ranges::find(all, r.next_cert.fingerprint, &pki::Certificate::fingerprint) != all.end())
    return {};
  return posix::write_atomic(file, bundle + (bundle.ends_with('\n') ? "" : "\n") + r.next.cert,
                             0644);
}

base::Status new_leaves(const Rotation& r) {
  for (const char* name : kLeaves) {
    const auto text = posix::read_file(certificate_file(r.host, name), kFile);
    const auto leaf = text ? pki::parse_certificate(*text) : std::unexpected(text.error());
    if (leaf && leaf->authority_key_id == r.next_cert.subject_key_id) continue;
    TRY_OK(write_leaf(r.host, r.next, name, r.context.clock.now()));
  }
  return {};
}

base::Status drop_old(const Rotation& r) {
  TRY_OK(posix::write_atomic(key_file(r.host, "ca"), r.next.key, 0600));
  return posix::write_atomic(certificate_file(r.host, "ca"), r.next.cert, 0644);
}

// The certificate first: a key alone is of no rotation, and remove_rest ends with it.
base::Status forget_next(const Rotation& r) {
  TRY_OK(drop_old(r));  // a person may have put the old one back
  TRY_OK(posix::remove_file(certificate_file(r.host, kNext)));
  return posix::remove_file(key_file(r.host, kNext));
}

// Killed in the last step or behind it: all that is left is to forget, and nothing may begin.
bool only_to_forget(const Host& host, const Unfinished& open) {
  return open.command == kCommand && open.step == kForget && !has_next(host);
}

Reply remove_rest(const Context& context, const Host& host) {
  Answer out;
  out.value["done"] = true;
  out.text = "The rotation is done on this host.\n";
  if (context.flags.dry_run) return out;
  TRY_OK(posix::remove_file(key_file(host, kNext)));
  TRY_OK(forget_journal(context.places()));
  return out;
}

// With what ails this host's own certificates: a pair that was cut in two ends every handshake.
base::Error with_faults(const Context& context, const Host& host, base::Error error) {
  for (const auto& leaf : check_certificates(host, context.clock.now(), {}))
    if (leaf.name != "ca" && leaf.health == Health::kBad)
      error.message += fmt::format(".\n{}: {}; `etcdadm certs renew` makes a new one",
                                   certificate_file(host, leaf.name), leaf.problem);
  return error;
}

base::Status wait_shown(Rotation& r, TrustPhase wanted) {
  return until_done(r.context, kShown, "this host's etcd does not show it",
                    [&]() -> base::Result<std::string> {
                      if (const auto looked = look(r); !looked) return looked.error().message;
                      if (r.own() >= wanted) return std::string();
                      return fmt::format("{} {}", r.host.name, words_of(r.own()));
                    });
}

base::Status refuse_behind(const Rotation& r, TrustPhase wanted, std::string_view what) {
  const auto behind = r.behind(wanted);
  if (behind.empty()) return {};
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("{} waits for other hosts; nothing was changed here. `etcdadm "
                                "certs rotate` there first:{}",
                                what, behind));
}

// What this host does next; by what its own etcd shows.
base::Result<std::vector<Step>> steps_of(Rotation& r, const std::string& certs) {
  std::vector<Step> out;
  const auto restart = [&r](TrustPhase wanted) {
    return Step{"restart", "restart etcd, as it reads authorities only at its start",
                [&r, wanted]() -> base::Status {
                  if (r.own() < wanted) TRY_OK(restart_member(r.context, r.host));
                  return wait_shown(r, wanted);
                }};
  };
  switch (r.own()) {
    case TrustPhase::kUnknown:
      return std::unexpected(with_faults(
          r.context, r.host,
          {Code::kUnavailable, "this host's etcd shows no certificate of its own: does it run?"}));
    case TrustPhase::kOld:
      out.push_back({"trust", fmt::format("put both authorities into {}/ca.crt", certs),
                     [&r] { return trust_both(r); }});
      out.push_back(restart(TrustPhase::kBoth));
      return out;
    case TrustPhase::kBoth:
      TRY_OK(refuse_behind(r, TrustPhase::kBoth, "new certificates"));
      out.push_back(
          {"leaves", "make new certificates of the new authority", [&r]() -> base::Status {
             TRY_OK(new_leaves(r));
             return wait_shown(r, TrustPhase::kLeaf);
           }});
      return out;
    case TrustPhase::kLeaf:
      TRY_OK(refuse_behind(r, TrustPhase::kLeaf, "dropping the old authority"));
      out.push_back({"drop", fmt::format("drop the old authority from {}", certs),
                     [&r] { return drop_old(r); }});
      out.push_back(restart(TrustPhase::kNext));
      out.push_back({kForget, "remove ca-next", [&r] { return forget_next(r); }});
      return out;
    case TrustPhase::kNext:
      out.push_back({kForget, "remove ca-next", [&r] { return forget_next(r); }});
      return out;
  }
  return out;
}

std::string next_words(const Rotation& r) {
  TrustPhase least = TrustPhase::kNext;
  for (const auto& h : r.hosts) least = std::min(least, r.phase(h));
  switch (least) {
    case TrustPhase::kUnknown:
    case TrustPhase::kOld:
      return "Next: the other hosts trust the new authority as well. Give clients ca.crt of this "
             "host now: it has both.";
    case TrustPhase::kBoth:
      return "Next: `etcdadm certs rotate` on each host makes its new certificates. Before that "
             "clients need ca.crt, which has both authorities.";
    case TrustPhase::kLeaf:
      return "Next: `etcdadm certs rotate` on each host drops the old authority. Before that "
             "clients need certificates of the new one.";
    case TrustPhase::kNext:
      return "The rotation is done.";
  }
  return "";
}

void describe(const Rotation& r, Answer& out) {
  json::Array list;
  out.text += fmt::format("new authority {}, sha256:{}\n", r.next_cert.common_name,
                          r.next_cert.fingerprint);
  for (const auto& h : r.hosts) {
    const auto words = words_of(r.phase(h));
    out.text +=
        fmt::format("  {:<16} {}{}{}\n", h.name, words, h.problem.empty() ? "" : ": ", h.problem);
    list.emplace_back(json::Object{{"name", h.name}, {"phase", words}});
  }
  out.value["hosts"] = std::move(list);
  out.value["authority"] = r.next_cert.fingerprint;
  out.text += next_words(r) + "\n";
}

// For the hosts that do not have the next authority yet.
base::Status offer(const Rotation& r, Answer& out) {
  const bool wanted = std::ranges::any_of(r.hosts, [&](const HostTrust& h) {
    return r.phase(h) <= TrustPhase::kOld && h.id != r.host.member_id;
  });
  if (!wanted) return {};
  TRY(const auto life, token_life(r.context.flags));
  if (life == base::Duration{0}) return {};
  TRY(const auto token, open_door(r.context, r.host, life));
  TRY(const auto book, load_book(r.context.places()));
  const std::string command =
      fmt::format("etcdadm certs rotate {} --token {}{}", r.host.peer_url(), token.text(),
                  book.port == kTokenPort ? "" : fmt::format(" --token-port {}", book.port));
  out.text += fmt::format("Within {}, on each host that trusts the old one only:\n\n  {}\n",
                          r.context.flags.token_ttl, command);
  out.value["command"] = command;
  return {};
}

// Those that wait for others are told again how these begin: the first call may have been killed
// before it said so, or what it said has expired.
base::Error with_offer(const Rotation& r, base::Error error) {
  if (r.own() != TrustPhase::kBoth) return error;
  Answer offered;
  if (const auto made = offer(r, offered); !made)
    error.message +=
        "\nThe command for hosts that have not begun could not be made: " + made.error().message;
  else if (!offered.text.empty())
    error.message += "\n" + std::string(base::trim(offered.text));
  return error;
}

// What a call that was killed has stopped, is just stopping, or has just started.
base::Status be_up(const Context& context, Host& host) {
  const auto files = context.places().member_files();
  TRY(const auto tls, client_tls(host.certs_dir));
  const auto api = etcd::connect(host.client_url(), tls);
  const auto settled =
      until_done(context, kShown, "this host's etcd neither serves nor ends",
                 [&]() -> base::Result<std::string> {
                   if (host::is_alive(files) != base::Fact<bool>(true) || api->quorum_read(kRead))
                     return std::string();
                   return "this host's etcd does not serve at the moment";
                 });
  // One that stays so is for the look that follows: it tells what no member answers, too.
  if (!settled && settled.error().code != Code::kDeadlineExceeded) return settled;
  if (host::is_alive(files) == base::Fact<bool>(true)) return {};
  context.say("etcd does not run here: starts it");
  TRY_OK(start_member(context, host));
  return wait_serving(context, host);
}

}  // namespace

Reply certs_rotate(const Context& context) {
  TRY(Host host, load_host(context.places()));
  if (host.stage != Stage::kMember)
    return base::fail(
        Code::kFailedPrecondition,
        "this host is no member of a cluster yet: begin with `etcdadm init` or `etcdadm join URL`");
  TRY_OK(token_life(context.flags));
  std::optional<posix::FileLock> lock;
  if (!context.flags.dry_run) {
    TRY(lock, lock_state(context.places()));
    TRY_OK(no_other(context.places(), kCommand));
  }
  TRY(const auto open, unfinished_step(context.places()));
  if (only_to_forget(host, open)) return remove_rest(context, host);
  if (!context.flags.dry_run) TRY_OK(be_up(context, host));
  Rotation r{context, host, {}, {}, {}, {}};
  TRY_OK(read_authorities(r));
  if (const auto looked = look(r); !looked)
    return std::unexpected(with_faults(context, host, looked.error()));
  const Run run{kCommand, {}};
  if (context.flags.dry_run && !has_next(host))
    return dry_run(run, {{context.flags.subject.empty() ? "begin" : "fetch",
                          context.flags.subject.empty()
                              ? "make the next authority"
                              : "fetch the next authority from " + context.flags.subject,
                          {}},
                         {"trust", "put both authorities into ca.crt", {}},
                         {"restart", "restart etcd", {}}});
  if (!context.flags.dry_run) {
    if (!context.flags.subject.empty())
      TRY_OK(fetch_next(r));
    else if (!has_next(host))
      TRY_OK(begin_here(r));
  }
  const auto next = steps_of(r, host.certs_dir);
  if (!next && !context.flags.dry_run) return std::unexpected(with_offer(r, next.error()));
  TRY(const auto steps, next);
  Answer out;
  if (context.flags.dry_run) {
    out = dry_run(run, steps);
    describe(r, out);
    return out;
  }
  TRY_OK(run_steps(context, run, steps));
  TRY_OK(look(r));
  describe(r, out);
  if (const auto offered = offer(r, out); !offered)
    return std::unexpected(offered.error().in(
        "this host has done its part, but could not make the command for the others; the same "
        "command tries again"));
  return out;
}

Reply certs_list(const Context& context) {
  TRY(const Host host, load_host(context.places()));
  TRY(const auto at, cluster_of(context, host));
  TRY(const auto sight, at.look());
  Answer out;
  json::Array list;
  out.text = fmt::format("{:<16} {:<30} {:<7} {:>6}  {:<24} {}\n", "MEMBER", "ADDRESS", "FOR",
                         "DAYS", "SIGNED BY", "TRUSTS");
  const auto now = context.clock.now();
  for (const auto& h : look_at_trust(context, *sight)) {
    if (h.ports.empty()) out.text += fmt::format("{:<16} {}\n", h.name, h.problem);
    if (!h.problem.empty()) out.failed = true;
    for (const auto& shown : h.ports) {
      json::Value v;
      v["member"] = h.name;
      v["url"] = shown.url;
      v["for"] = shown.peer ? "members" : "clients";
      if (!shown.problem.empty()) {
        v["problem"] = shown.problem;
        out.text += fmt::format("{:<16} {:<30} {}\n", h.name, shown.url, shown.problem);
        list.push_back(std::move(v));
        continue;
      }
      const auto days = std::chrono::floor<std::chrono::days>(shown.leaf.not_after - now).count();
      if (days < 0) out.failed = true;
      v["days"] = days;
      v["expires"] = base::to_rfc3339(shown.leaf.not_after);
      v["fingerprint"] = shown.leaf.fingerprint;
      v["signedBy"] = shown.leaf.issuer_common_name;
      v["trusts"] = shown.authorities;
      std::string trusts;
      for (const auto& name : shown.authorities) trusts += (trusts.empty() ? "" : ", ") + name;
      out.text += fmt::format("{:<16} {:<30} {:<7} {:>6}  {:<24} {}\n", h.name, shown.url,
                              shown.peer ? "members" : "clients", days,
                              shown.leaf.issuer_common_name, trusts);
      list.push_back(std::move(v));
    }
  }
  out.value["certificates"] = std::move(list);
  return out;
}

}  // namespace adm
