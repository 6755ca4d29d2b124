// What the commands do without an operator, from the state directory alone, and how they call etcd.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "json/value.h"

namespace bin {

using MaybeKey = std::optional<base::ClusterKey>;  // none: all

// {items, problems, note}: what was written last; the note says that no operator runs.
base::Result<json::Value> written_status(const std::string& state_dir, const MaybeKey& key);
base::Result<json::Value> written_events(const std::string& state_dir, const MaybeKey& key,
                                         size_t limit);

// Waits until no member process is left.
base::Status wait_until_down(const std::string& state_dir, const MaybeKey& key,
                             const std::stop_token& stop);
// A command that is kept for the operator; none: as it was.
struct Commanded {
  std::optional<bool> stopped, paused;
};
// Stores it for the operator that is started next, under that one's lock (waits for one that is
// ending).
base::Status command_offline(const std::string& state_dir, const base::ClusterKey& key,
                             const Commanded& command, const std::stop_token& stop);
// Takes the operator's lock (waits for one that is ending), then asks every guard to stop and waits
// for each. With a key that cluster stays stopped when an operator is started; an error says so if
// that could not be stored. Gives how many were running.
base::Result<size_t> stop_guards(const std::string& state_dir, const MaybeKey& key,
                                 const std::stop_token& stop);

// Replaces this process; returns only an exit code of failure.
int run_etcdctl(const std::string& state_dir, const base::ClusterKey& key,
                const json::Value& connection, const std::vector<std::string>& args);
// Lines "export ETCDCTL_…=…" for a shell.
std::string etcdctl_environment(const json::Value& connection);

}  // namespace bin
