// Brings a snapshot into a store, and believes that it is there when it was read back.
#pragma once

#include "archive/manifest.h"
#include "archive/shelf.h"
#include "archive/snapshot.h"
#include "archive/trouble.h"
#include "archive/world.h"

namespace archive {

// Data, then a whole read of it, then the manifest and a read of that. The result is `manifest`
// with its digests. A failure leaves nothing that looks like a backup, as far as the store allows
// it to be removed; Trouble: mismatch (the store holds other bytes), or why the store did not work.
Outcome<Manifest> upload(const Shelf& shelf, const Snapshot& snapshot, Manifest manifest,
                         const World& world, base::Tick deadline);

// Streams a backup from the store to `out`, checked byte for byte. What `out` was given counts only
// after success. DataLoss: it is damaged. NotFound: it is gone. Other codes are the store's.
base::Status download(const Shelf& shelf, const Manifest& manifest, const Key* key,
                      const objstore::Sink& out, const objstore::Call& call);

}  // namespace archive
