#include "drivers/host/rebuild.h"

#include "drivers/host/port_book.h"
#include "drivers/live/rebuild.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;

base::Result<live::Kept> read_kept(const MemberFiles& files) {
  live::Kept kept;
  TRY(const std::string ticket, posix::read_file(files.ticket, kLimit));
  TRY(kept.ticket, guard::decode_ticket(ticket));
  TRY(const std::string marker, posix::read_file(files.marker, kLimit));
  TRY(kept.marker, guard::decode_marker(marker));
  return kept;
}

}  // namespace

base::Result<plan::Record> rebuild_record(const Layout& layout, const base::ClusterKey& key) {
  const ClusterFiles files = layout.cluster(key);
  TRY(const auto names, posix::list_dir(files.members));
  std::map<std::string, base::Result<live::Kept>> members;
  for (const auto& name : names) members.emplace(name, read_kept(layout.member(key, name)));
  return live::rebuild_record(key, members,
                              posix::exists(pki_files(files).published) == base::Fact<bool>(true));
}

std::set<posix::Port> ports_on_disk(const Layout& layout, const base::ClusterKey& key) {
  std::set<posix::Port> ports;
  const auto names = posix::list_dir(layout.cluster(key).members);
  for (size_t i = 0; names && i < names->size(); ++i) {
    const auto bytes = posix::read_file(layout.member(key, (*names)[i]).ticket, kLimit);
    const auto ticket = bytes ? guard::decode_ticket(*bytes) : std::unexpected(bytes.error());
    if (!ticket) continue;
    for (const auto& arg : ticket->args)
      if (arg.starts_with("--listen-"))
        if (const auto port = port_of(arg); port != 0) ports.insert(port);
  }
  return ports;
}

}  // namespace host
