// The real world for the commands of backups: signals, clock, store, key.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/crypt.h"
#include "archive/job.h"
#include "archive/trouble.h"
#include "archive/world.h"
#include "bin/run_parts.h"
#include "objstore/store.h"
#include "posix/clock.h"
#include "posix/signals.h"

namespace bin {

// Made once, by the main thread before any other.
class ArchivePlace {
 public:
  static base::Result<std::unique_ptr<ArchivePlace>> make(
      const std::vector<std::string>& fault_points);

  // A directory that is not there is an error unless `may_make`: a volume that is not mounted looks
  // like it.
  archive::Outcome<void> open(const archive::StoreRef& store, bool may_make);
  archive::Outcome<void> read_key(const std::string& file);  // empty: none
  archive::Outcome<void> use_tls(const std::optional<archive::TlsFiles>& files);

  [[nodiscard]] const archive::World& world() const { return world_; }
  [[nodiscard]] objstore::Call call(base::Duration time) const {
    return world_.call(clock_.tick() + time);
  }

 private:
  ArchivePlace(std::unique_ptr<posix::StopOnSignal> signals,
               const std::vector<std::string>& fault_points);

  std::unique_ptr<posix::StopOnSignal> signals_;
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  DieAtPoints die_;
  std::unique_ptr<objstore::Store> store_;
  std::optional<archive::Key> key_;
  archive::World world_;
};

}  // namespace bin
