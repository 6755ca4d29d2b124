// `export-survivor`: what the pod of a member that is restored from a survivor's volume does first.
#include "bin/commands.h"
#include "drivers/host/export.h"
#include "etcd/api.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/signals.h"

namespace bin {
namespace {

constexpr int kDamaged = 11;  // as the guard says of damaged data

}  // namespace

int export_survivor(const ExportFlags& flags) {
  const auto signals = posix::StopOnSignal::install();
  if (!signals) return report(signals.error());
  const posix::SystemClock clock;
  const auto log = posix::make_logger({}, clock, posix::to_stderr());
  if (const auto made = posix::make_dirs(flags.work); !made) return report(made.error());
  const auto bound = host::export_data(
      {flags.data, flags.work + "/copy", flags.work + "/snapshot.db", flags.etcd, flags.member},
      etcd::connect, *log, (*signals)->source().get_token());
  if (!bound) {
    const int code = report(bound.error());
    return bound.error().code == base::Code::kDataLoss ? kDamaged : code;
  }
  print_text(*bound + "\n");
  return kDone;
}

}  // namespace bin
