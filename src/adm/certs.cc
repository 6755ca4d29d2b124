// certs check|renew.
#include <fmt/format.h>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "base/text.h"

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

}  // namespace

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
