#include "guard/look.h"

#include <fmt/format.h>

#include "guard/disk.h"

namespace guard {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

base::Fact<Marker> read_marker(const Paths& paths) {
  const auto bytes = read_file(paths.marker(), kMaxFile);
  if (!bytes && bytes.error().code == base::Code::kNotFound) return base::Fact<Marker>::absent();
  if (!bytes) return base::Fact<Marker>::unknown(bytes.error().message);
  auto marker = decode_marker(*bytes);
  if (!marker) return base::Fact<Marker>::unknown(marker.error().message);
  return *std::move(marker);
}

std::string_view name_of(WalSeen::State s) {
  switch (s) {
    case WalSeen::State::kNone:
      return "none";
    case WalSeen::State::kSound:
      return "sound";
    case WalSeen::State::kTorn:
      return "torn";
    case WalSeen::State::kCorrupt:
      return "corrupt";
    case WalSeen::State::kIncomplete:
      return "incomplete";
    case WalSeen::State::kUnreadable:
      return "unreadable";
  }
  return "?";
}

}  // namespace

base::Result<Ticket> read_ticket(const Paths& paths) {
  TRY(const auto bytes, read_file(paths.ticket(), kMaxFile));
  return decode_ticket(bytes);
}

Seen look(const Paths& paths, WalCursor& cursor) {
  Seen seen;
  seen.marker = read_marker(paths);
  seen.wal = cursor.advance();
  seen.leftovers = has_files(paths.data());
  return seen;
}

std::string describe(const base::Result<Ticket>& ticket, const Seen& seen) {
  std::string out;
  if (ticket)
    out += fmt::format("ticket    {} {} of incarnation {}, volume {}\n", name_of(ticket->permit),
                       ticket->member_name, ticket->incarnation, ticket->volume_id);
  else
    out += fmt::format("ticket    {}\n", ticket.error().text());
  if (const Marker* m = seen.marker.get())
    out += fmt::format(
        "marker    {} of incarnation {}, volume {}, member {}, log seen to {} (term {})"
        "{}{}\n",
        m->member_name, m->incarnation, m->volume_id, base::to_text(m->member_id), m->last_index,
        m->last_term, m->started ? ", started" : ", never started",
        m->condemned == Class::kNone ? std::string()
                                     : fmt::format(", condemned: {}", name_of(m->condemned)));
  else
    out += fmt::format("marker    {}\n",
                       seen.marker.is_absent() ? "absent" : "unknown: " + seen.marker.why());
  out += fmt::format("log       {}", name_of(seen.wal.state));
  if (seen.wal.member_id)
    out += fmt::format(", member {} of cluster {}, ends at {} (term {})",
                       base::to_text(seen.wal.member_id), base::to_text(seen.wal.cluster_id),
                       seen.wal.end.index, seen.wal.end.term);
  out += fmt::format("{}{}\n", seen.wal.why.empty() ? "" : ": ", seen.wal.why);
  if (!ticket) return out;
  const Decision d = decide(*ticket, seen);
  if (d.start == Start::kNone)
    out += fmt::format("decision  {}: {}\n", name_of(d.klass), d.why);
  else
    out += fmt::format("decision  start {}{}: {}\n", name_of(d.start),
                       d.move_aside ? ", data moved aside" : "", d.why);
  return out;
}

}  // namespace guard
