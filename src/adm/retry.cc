#include "adm/retry.h"

#include <fmt/format.h>

#include "posix/wakeup.h"

namespace adm {
namespace {

constexpr base::Duration kPoll{250};

}  // namespace

base::Status until_done(const Context& context, base::Duration limit, std::string_view what,
                        const Try& attempt) {
  const auto until = posix::deadline_in(limit);
  std::string told;
  for (;;) {
    TRY(const std::string waits, attempt());
    if (waits.empty()) return {};
    if (waits != told) context.say("waits: " + (told = waits));
    if (context.stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(base::Code::kDeadlineExceeded,
                        fmt::format("{} after {}: {}", what, base::to_text(limit), waits));
    (void)posix::poll_until({}, posix::deadline_in(kPoll), context.stop);
  }
}

}  // namespace adm
