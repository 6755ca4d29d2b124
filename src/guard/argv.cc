#include <fmt/format.h>

#include "base/text.h"
#include "guard/supervisor.h"

namespace guard {
namespace {

// Far beyond what the lost members can have acknowledged, so that clients never see a revision go
// back.
constexpr std::string_view kBump = "1000000000";

std::vector<std::int64_t> numbers_of(std::string_view version) {
  std::vector<std::int64_t> out;
  for (const auto part : base::split(version.substr(0, version.find('-')), '.'))
    out.push_back(base::parse_int(part).value_or(0));
  return out;
}

bool can_bump(std::string_view version) {
  return numbers_of(version) >= std::vector<std::int64_t>{3, 5, 12};
}

std::string own_urls(const Ticket& ticket) {
  std::vector<std::string> urls;
  for (const auto entry : base::split(ticket.initial_cluster, ',')) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string_view::npos && entry.substr(0, equals) == ticket.member_name)
      urls.emplace_back(entry.substr(equals + 1));
  }
  return base::join(urls, ",");
}

}  // namespace

std::vector<std::string> etcd_argv(const Ticket& ticket, const Paths& paths, Start start) {
  std::vector<std::string> argv{
      ticket.etcd, "--data-dir=" + paths.data(), "--name=" + ticket.member_name,
      "--initial-cluster=" + ticket.initial_cluster,
      // With a log etcd ignores it; `new` must not even be said then.
      fmt::format("--initial-cluster-state={}", start == Start::kBlankNew ? "new" : "existing"),
      "--initial-cluster-token=" +
          (start == Start::kRestore ? ticket.restore_token : ticket.token)};
  argv.insert(argv.end(), ticket.args.begin(), ticket.args.end());
  return argv;
}

std::vector<std::string> restore_argv(const Ticket& ticket, const Paths& paths, std::string& why) {
  const std::string urls = own_urls(ticket);
  if (urls.empty()) {
    why =
        fmt::format("the member list '{}' lacks '{}'", ticket.initial_cluster, ticket.member_name);
    return {};
  }
  std::vector<std::string> argv{ticket.etcdutl,
                                "snapshot",
                                "restore",
                                ticket.restore_snapshot,
                                "--data-dir=" + paths.restoring(),
                                "--name=" + ticket.member_name,
                                "--initial-cluster=" + ticket.initial_cluster,
                                "--initial-cluster-token=" + ticket.restore_token,
                                "--initial-advertise-peer-urls=" + urls};
  if (can_bump(ticket.version)) {
    argv.push_back(fmt::format("--bump-revision={}", kBump));
    argv.emplace_back("--mark-compacted");
  }
  return argv;
}

}  // namespace guard
