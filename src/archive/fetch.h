// A backup brought back: the best one that verifies now, as a file for `etcdutl snapshot restore`.
#pragma once

#include <string>

#include "archive/catalog.h"
#include "archive/job.h"
#include "archive/trouble.h"
#include "archive/world.h"
#include "etcd/bolt/verify.h"
#include "posix/scratch_file.h"

namespace archive {

// Never throws. "empty" only after the whole of the store was listed and there was none; a store
// that cannot be asked is a failure, and never a reason to take an older backup.
FetchReport fetch(const FetchJob& job, const World& world);

// A backup in scratch that is what its manifest says, judged as any snapshot.
struct Fetched {
  posix::ScratchFile file;
  bolt::SnapshotFacts facts;
};
// DataLoss and NotFound are about this backup. FailedPrecondition: the key of its encryption.
base::Result<Fetched> fetch_one(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                                const Key* key, const objstore::Call& call);
// The same of any entry. Trouble: mismatch (this one is damaged, whatever the others are), newer,
// key, or why the store or scratch did not work.
Outcome<Fetched> fetch_judged(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                              const Key* key, const objstore::Call& call);

}  // namespace archive
