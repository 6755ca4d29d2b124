// A look at a member's directory. Changes nothing.
#pragma once

#include <string>

#include "base/result.h"
#include "guard/decide.h"
#include "guard/paths.h"

namespace guard {

base::Result<Ticket> read_ticket(const Paths& paths);
// `cursor` stays at the end of the log, for the notes taken while etcd runs.
Seen look(const Paths& paths, WalCursor& cursor);
// The text of `etcd-guard classify`.
std::string describe(const base::Result<Ticket>& ticket, const Seen& seen);

}  // namespace guard
