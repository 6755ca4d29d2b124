// doctor: what is wrong on this host and in its cluster, each with what mends it.
#include <fmt/format.h>

#include "adm/commands.h"
#include "adm/findings.h"

namespace adm {

Reply doctor(const Context& context) {
  TRY(const auto host, load_host(context.places()));
  Findings found;
  look_at_host(context, host, found);
  if (host.stage != Stage::kNone || !context.flags.endpoints.empty())
    look_at_cluster(context, host, found);
  Answer out;
  json::Array list;
  for (const auto& f : found) {
    list.emplace_back(
        json::Object{{"level", f.bad ? "problem" : "note"}, {"what", f.what}, {"mend", f.mend}});
    out.text += fmt::format("{} {}\n        → {}\n", f.bad ? "PROBLEM" : "note   ", f.what, f.mend);
    if (f.bad) out.failed = true;
  }
  if (found.empty()) out.text = "nothing is wrong that etcdadm looks for\n";
  out.value["findings"] = std::move(list);
  return out;
}

}  // namespace adm
