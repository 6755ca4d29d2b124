// Which ports belong to which member of which cluster; three each, chosen once.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "plan/record.h"
#include "posix/net.h"

namespace host {

// Thread-safe. What is in a record is taken. An offer is kept for its cluster while there are other
// ports; when the range is full it may go to who needs it now, and claim() settles who has it.
class PortBook {
 public:
  explicit PortBook(const posix::PortRange& range) : range_(range) {}

  // What the record of the cluster says, in place of what was known of it.
  void learn(const plan::Record& record);
  // The same, from ports that somebody else has found.
  void hold(const base::ClusterKey& key, std::set<posix::Port> ports);
  // Before a record is stored: its new ports are its own from now on. Aborted: another cluster has
  // recorded one of them since it was offered; nothing may be stored, the next offer is another.
  base::Status claim(const plan::Record& record);
  void forget(const base::ClusterKey& key);
  // Addresses for `count` ordinals from `first` on, or for fewer when the range has no more; the
  // same as last time while they are free. ResourceExhausted: for none.
  base::Result<std::map<int, plan::Addresses>> offer(const base::ClusterKey& key, int first,
                                                     int count, bool tls);
  // Free now and nobody's; for a process of a moment.
  base::Result<std::vector<posix::Port>> borrow(size_t count);

 private:
  struct Entry {
    std::set<posix::Port> recorded;
    std::map<int, std::array<posix::Port, 3>> offered;
  };
  [[nodiscard]] std::set<posix::Port> taken() const;
  [[nodiscard]] std::set<posix::Port> recorded() const;
  base::Result<std::array<posix::Port, 3>> pick(const Entry& own);

  const posix::PortRange range_;
  std::mutex mutex_;
  std::map<base::ClusterKey, Entry> clusters_;  // guarded by mutex_
};

// 0: the URL has no port.
posix::Port port_of(const std::string& url);

}  // namespace host
