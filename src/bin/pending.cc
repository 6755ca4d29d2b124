// Commands whose parts are not wired yet: they refuse, and say so.
#include "bin/commands.h"

namespace bin {
namespace {

int pending(const std::string& what) {
  return report({base::Code::kUnimplemented, what + ": not in this version yet"});
}

}  // namespace

int run_operator(const RunFlags&) {
  return pending("run");
}
int cluster_command(const ClusterFlags& flags) {
  return pending(flags.verb);
}
int write_reference(const ReferenceFlags&) {
  return pending("reference");
}

}  // namespace bin
