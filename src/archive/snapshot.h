// A snapshot in scratch that was judged, and compared with what living members hold.
#pragma once

#include <string>
#include <vector>

#include "archive/members.h"
#include "archive/trouble.h"
#include "archive/world.h"
#include "etcd/bolt/source.h"
#include "etcd/bolt/verify.h"
#include "posix/scratch_file.h"

namespace archive {

class ScratchSource final : public bolt::Source {
 public:
  explicit ScratchSource(const posix::ScratchFile& file) : file_(file) {}
  [[nodiscard]] std::uint64_t size() const override { return file_.size(); }
  [[nodiscard]] base::Status read(std::uint64_t offset, std::span<char> out) const override {
    return file_.read(offset, out);
  }

 private:
  const posix::ScratchFile& file_;
};

struct Snapshot {
  posix::ScratchFile file;
  bolt::SnapshotFacts facts;
  std::string member, member_version;
  std::string hash_of_member;  // whose HashKV is that of the file; empty: nobody's can be compared
  std::int64_t hash_compact_revision = 0;
  std::string warning;
};

// Tries the members in their order until one gives a snapshot that is good and that at least one
// member, and more of them than not, has the same hash for. Trouble: no-member, mismatch, full.
Outcome<Snapshot> take_snapshot(const Members& members, const std::string& scratch,
                                const World& world, base::Tick deadline);

}  // namespace archive
