// token create|serve: how hosts that join get the cluster's authority.
#include <fmt/format.h>

#include "adm/begin.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/listener.h"

namespace adm {

base::Result<base::Duration> token_life(const Flags& flags) {
  TRY_IN("--token-ttl", const auto life, base::parse_duration(flags.token_ttl));
  if (life < base::Duration{0} || life > std::chrono::hours(24))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--token-ttl: '{}' is not from 0 to 24h", flags.token_ttl));
  return life;
}

Reply token_create(const Context& context) {
  TRY(const auto life, token_life(context.flags));
  if (life == base::Duration{0})
    return base::fail(base::Code::kInvalidArgument, "--token-ttl: a token needs a life above 0");
  TRY_OK(check_token_port(context.flags));
  TRY(const auto host, load_host(context.places()));
  Answer out;
  if (context.flags.dry_run) {
    out.text = fmt::format(
        "etcdadm token create would make a token that holds for {} and listen "
        "at {} port {}\n",
        base::to_text(life), host.bind_address, context.flags.token_port);
    return out;
  }
  TRY(const auto lock, lock_state(context.places()));
  TRY(const auto token, open_door(context, host, life));
  TRY(const auto book, load_book(context.places()));
  TRY(const auto command, join_command(host, token, book.port));
  out.text =
      fmt::format("For {} on a host that is to join:\n\n  {}\n", base::to_text(life), command);
  out.value["token"] = token.text();
  out.value["join"] = command;
  out.value["expires"] = base::to_rfc3339(context.clock.now() + life);
  return out;
}

Reply token_serve(const Context& context) {
  TRY(const auto host, load_host(context.places()));
  if (const auto served = serve_tokens(context, host);
      !served && served.error().code != base::Code::kCancelled)
    return std::unexpected(served.error());
  return Answer{};
}

}  // namespace adm
