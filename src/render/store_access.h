// How a pod gets at a store of backups.
#pragma once

#include <string>

namespace render {

// What a pod has to see of a store and of the key of its backups.
struct StoreAccess {
  std::string secret = {};  // of its credentials; empty: those of the pod's service account
  std::string claim = {};   // the store is a volume; empty: it is not
  bool shared = false;      // a volume of the user's: its root; else the folder "backups" in it
  std::string encryption_secret = {}, encryption_key = {};  // both empty: not encrypted
  bool operator==(const StoreAccess&) const = default;
};

// A backup that becomes a member's data.
struct FetchedBackup {
  StoreAccess store = {};
  std::string file = {};  // what `archive fetch` is told
  bool operator==(const FetchedBackup&) const = default;
};

}  // namespace render
