// snapshot status FILE: whether a file is a good snapshot of etcd, and what is in it.
#include <fmt/format.h>

#include "bin/commands.h"
#include "etcd/bolt/describe.h"
#include "etcd/bolt/verify.h"

namespace bin {

int snapshot_status(const SnapshotFlags& flags) {
  const auto source = bolt::FileSource::open(flags.file);
  if (!source) return report(source.error());
  const auto facts = bolt::verify(*source, {.trailer_required = !flags.member_file});
  if (!facts) {
    const bool judged = facts.error().code == base::Code::kDataLoss;
    return report(facts.error().in(flags.file + (judged ? ": not a good snapshot" : "")));
  }
  if (flags.output != Output::kText)
    print_value(bolt::to_json(*facts), flags.output);
  else
    print_text(fmt::format("{}: a good snapshot\n{}", flags.file, bolt::to_text(*facts)));
  return kDone;
}

}  // namespace bin
