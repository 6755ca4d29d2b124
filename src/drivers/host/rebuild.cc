#include "drivers/host/rebuild.h"

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

}  // namespace host
